"""The string tasks: the vocabulary, and strings with their reverse."""

import string

import pytest
import torch

from helpers.tasks import EOS, TOKENS, VOCAB_SIZE, decode, encode, reverse_batch, reverse_batch_of_lengths


def test_eos_is_token_0_and_the_letters_are_1_to_26():
    assert (EOS, VOCAB_SIZE) == (0, 27)
    assert decode(torch.tensor([0])) == TOKENS[EOS] == "<eos>"
    assert encode(string.ascii_uppercase).tolist() == list(range(1, 27))


def test_what_is_encoded_decodes_to_itself():
    assert decode(encode("BOOKKEEPER")) == "BOOKKEEPER"


def test_targets_are_the_strings_backwards():
    strings, targets = reverse_batch(5, 7, torch.Generator().manual_seed(0))
    assert strings.shape == targets.shape == (5, 7)
    for row, target in zip(strings, targets, strict=True):
        assert decode(target) == decode(row)[::-1]


def test_every_letter_is_drawn_about_equally_often_and_eos_never():
    strings, _ = reverse_batch(2600, 10, torch.Generator().manual_seed(0))
    counts = torch.bincount(strings.flatten(), minlength=VOCAB_SIZE)
    assert counts[EOS] == 0
    assert counts[1:].min() > 850 and counts[1:].max() < 1150  # 1000 each is expected, with a deviation of 31


def test_the_same_generator_draws_the_same_strings_whatever_the_global_one_does():
    first, _ = reverse_batch(4, 6, torch.Generator().manual_seed(3))
    torch.rand(1)
    again, _ = reverse_batch(4, 6, torch.Generator().manual_seed(3))
    other, _ = reverse_batch(4, 6, torch.Generator().manual_seed(4))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(("text", "found"), [("", "empty"), ("Cat", "'a'"), ("A B", "' '"), ("É", "'É'")])
def test_text_that_is_not_made_of_capital_letters_is_named(text, found):
    with pytest.raises(ValueError, match=f"text must be made of the capital letters A to Z, but it .*{found}"):
        encode(text)


@pytest.mark.parametrize(
    "ids", [torch.tensor([[1, 2]]), torch.tensor([1.0]), torch.tensor([27]), torch.tensor([-1])], ids=str
)
def test_ids_that_stand_for_no_string_are_refused(ids, as_a_user):
    with pytest.raises(ValueError, match="ids must"):
        decode(ids)


@pytest.mark.parametrize(("batch_size", "length"), [(0, 5), (5, 0), (-1, 5)])
def test_a_batch_without_letters_is_refused(batch_size, length):
    with pytest.raises(ValueError, match="batch_size and length must be at least 1"):
        reverse_batch(batch_size, length)


def test_strings_of_given_lengths_are_reversed_and_then_ended():
    lengths = torch.tensor([1, 3, 5, 5, 2])
    strings, targets = reverse_batch_of_lengths(lengths, 5, torch.Generator().manual_seed(0))
    assert strings.shape == (5, 5) and targets.shape == (5, 6)
    for row, target, length in zip(strings, targets, lengths, strict=True):
        assert (row[:length] != EOS).all() and (row[length:] == EOS).all()
        assert decode(target[:length]) == decode(row[:length])[::-1]
        assert (target[length:] == EOS).all()


def test_the_same_generator_draws_the_same_strings_of_given_lengths():
    lengths = torch.tensor([2, 4])
    first, again, other = (
        reverse_batch_of_lengths(lengths, 4, torch.Generator().manual_seed(seed))[0] for seed in (3, 3, 4)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "lengths",
    [torch.tensor([0, 2]), torch.tensor([2, 5]), torch.tensor([1.0]), torch.tensor([[1]]), torch.tensor([], dtype=int)],
    ids=["an empty string", "beyond the width", "floats", "two axes", "none"],
)
def test_lengths_that_no_string_can_have_are_refused(lengths, as_a_user):
    with pytest.raises(ValueError, match="valid_lens must"):
        reverse_batch_of_lengths(lengths, 4)
