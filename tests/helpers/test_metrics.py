"""Exact match: all positions right, or not. BLEU: over the whole set, with all the references. Alignments: which links
weights stand for, and how far links are from the gold ones."""

import math

import pytest
import torch

from helpers.metrics import alignment_error_rate, bleu, exact_match, hard_alignment

TARGET = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]])


def test_a_sequence_counts_only_if_it_is_right_in_every_position():
    predicted = TARGET.clone()
    predicted[0, 2] = 0  # two of three are right: no part of a point
    assert exact_match(predicted, TARGET) == 0.75


def test_the_share_lies_between_none_and_all():
    assert exact_match(TARGET, TARGET) == 1.0
    assert exact_match(TARGET + 1, TARGET) == 0.0


def test_the_order_of_a_sequence_matters():
    assert exact_match(TARGET.flip(1), TARGET) == 0.25


def test_the_share_is_exact():
    predicted = torch.zeros(1000, 1, dtype=torch.long)
    target = predicted.clone()
    target[:2] = 1
    assert exact_match(predicted, target) == 0.998  # float32 would say 0.99800002


@pytest.mark.parametrize("predicted", [TARGET[:, :2], TARGET[:2], TARGET[0], TARGET[:1]], ids=lambda t: str(t.shape))
def test_shapes_that_differ_are_refused_even_where_they_would_broadcast(predicted, as_a_user):
    with pytest.raises(ValueError, match=r"predicted and target must have the same shape, not .* and \(4, 3\)"):
        exact_match(predicted, TARGET)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 3, 4)], ids=str)
def test_what_is_no_batch_of_sequences_is_refused(shape, as_a_user):
    empty = torch.zeros(shape, dtype=torch.long)
    with pytest.raises(ValueError, match=r"must have shape \(batch, length\)"):
        exact_match(empty, empty)


def test_with_lengths_only_the_real_positions_count():
    predicted = TARGET.clone()
    predicted[0, 2] = predicted[1, 1] = 0
    assert exact_match(predicted, TARGET, torch.tensor([2, 2, 3, 3])) == 0.75  # the first is wrong in its padding only
    assert exact_match(predicted, TARGET, torch.tensor([3, 3, 3, 3])) == exact_match(predicted, TARGET) == 0.5


@pytest.mark.parametrize("lengths", [torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3, 4])], ids=["too few", "too long"])
def test_lengths_that_do_not_fit_the_sequences_are_refused(lengths, as_a_user):
    with pytest.raises(ValueError, match="valid_lens must"):
        exact_match(TARGET, TARGET, lengths)


HYPOTHESIS = "the cat sat on the mat"


def test_bleu_is_the_geometric_mean_of_the_shares_of_matching_runs():
    # Of "the cat sat on a mat", the hypothesis has 5 of 6 words, 3 of 5 pairs, 2 of 4 runs of three, 1 of 3 of four.
    expected = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** (1 / 4)
    assert bleu([HYPOTHESIS], [["the cat sat on a mat"]]) == pytest.approx(expected)


def test_bleu_is_less_for_a_hypothesis_that_is_too_short():
    reference = HYPOTHESIS + " and slept"  # 8 words against 6, all of which match
    assert bleu([HYPOTHESIS], [[reference]]) == pytest.approx(100 * math.exp(1 - 8 / 6))
    too_long = 100 * (6 / 8 * 5 / 7 * 4 / 6 * 3 / 5) ** (1 / 4)  # no such penalty; but fewer of its runs match
    assert bleu([reference], [[HYPOTHESIS]]) == pytest.approx(too_long)


def test_bleu_counts_over_the_whole_set_and_is_no_mean_of_sentences():
    hypotheses, references = [HYPOTHESIS, "a"], [[HYPOTHESIS], ["b"]]
    # 6 of 7 words; longer runs there are in the first alone, and they all match
    assert bleu(hypotheses, references) == pytest.approx(100 * (6 / 7) ** (1 / 4))


def test_any_of_several_references_may_match_and_their_numbers_may_differ():
    hypotheses = [HYPOTHESIS, "a dog sleeps in the garden"]
    references = [["there is a cat", HYPOTHESIS], ["a dog sleeps in the garden"]]
    assert bleu(hypotheses, references) == pytest.approx(100)
    assert bleu(hypotheses, [each[:1] for each in references]) < 60


def test_chinese_is_split_into_characters():
    assert bleu(["我喜欢红色的车。"], [["我喜欢红色的车。"]], tokenize="zh") == pytest.approx(100)
    assert 30 < bleu(["我喜欢红色的车。"], [["我喜欢绿色的车。"]], tokenize="zh") < 70  # 7 of 8 characters
    assert bleu(["我喜欢红色的车。"], [["我喜欢绿色的车。"]]) == 0  # without it, all of it is one word


def test_capitals_count_unless_they_are_told_not_to():
    assert bleu([HYPOTHESIS.upper()], [[HYPOTHESIS]]) == 0
    assert bleu([HYPOTHESIS.upper()], [[HYPOTHESIS]], lowercase=True) == pytest.approx(100)


def test_an_empty_hypothesis_is_worth_nothing_but_allowed():
    assert bleu([""], [[HYPOTHESIS]]) == 0


def test_bleu_warns_of_nothing(capsys, caplog):
    bleu(["a b c d ."] * 200, [["a b c d ."]] * 200)  # sacreBLEU would warn of a period with a space before it
    assert capsys.readouterr().err == "" and not caplog.records


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "at least one, not 0 and 0"),
        (["a", "b"], [["a"]], "not 2 and 1"),
        ("ab", [["a"], ["b"]], r"not 2 and 2 \(a single string\)"),
        (["a", "b"], ["a", "b"], r"references\[0\] must be a list of at least one string, not 'a'"),
        (["a", "b"], [["a"], []], r"references\[1\] must be a list of at least one string, not \[\]"),
    ],
    ids=["none", "numbers", "one hypothesis", "one reference each", "no reference"],
)
def test_what_can_not_be_compared_is_refused(hypotheses, references, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        bleu(hypotheses, references)


WEIGHTS = torch.tensor([[0.1, 0.2, 0.7], [0.4, 0.5, 0.1]])  # (target, source)


def test_each_target_token_is_linked_with_the_source_token_of_its_largest_weight():
    assert hard_alignment(WEIGHTS) == {(0, 2), (1, 1)}
    assert hard_alignment(WEIGHTS.T) == {(0, 1), (1, 1), (2, 0)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [2, 3, 50, 3000])
def test_of_equal_weights_the_first_is_linked(length, dtype):
    weights = torch.full((2, length), 1 / length, dtype=dtype)
    weights[1, 0] = 0
    assert hard_alignment(weights) == {(0, 0), (1, 1)}


def test_with_a_threshold_every_link_at_or_above_it_is_made():
    assert hard_alignment(WEIGHTS, threshold=0.4) == {(0, 2), (1, 0), (1, 1)}
    assert hard_alignment(WEIGHTS, threshold=0.6) == {(0, 2)}
    assert hard_alignment(WEIGHTS.double(), threshold=0.9) == set()
    assert len(hard_alignment(WEIGHTS, threshold=0.0)) == 6


def test_nothing_written_means_no_links():
    assert hard_alignment(torch.empty(0, 3)) == set()


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 2, 3)], ids=str)
def test_what_is_no_matrix_of_weights_is_refused(shape, as_a_user):
    with pytest.raises(ValueError, match=r"weights must have shape \(target, source\)"):
        hard_alignment(torch.zeros(shape))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_that_is_no_weight_is_refused(threshold, as_a_user):
    with pytest.raises(ValueError, match=r"threshold must lie in 0\.\.1"):
        hard_alignment(WEIGHTS, threshold)


SURE = {(0, 0), (1, 2), (2, 1)}
POSSIBLE = SURE | {(2, 2), (3, 3)}


@pytest.mark.parametrize(
    ("predicted", "rate"),
    [
        (SURE, 0),
        (POSSIBLE, 0),  # a possible link is neither asked for nor wrong
        (set(), 1),
        ({(0, 1), (1, 1)}, 1),
        ({(0, 0), (1, 2)}, 1 - (2 + 2) / (2 + 3)),  # a sure link is missing
        (SURE | {(0, 1)}, 1 - (3 + 3) / (4 + 3)),  # one too many
        ({(0, 0), (2, 2), (1, 0)}, 1 - (1 + 2) / (3 + 3)),
    ],
    ids=["sure", "possible", "none", "all wrong", "one missing", "one too many", "some of each"],
)
def test_the_alignment_error_rate_is_the_one_of_och_and_ney(predicted, rate):
    assert alignment_error_rate(predicted, SURE, POSSIBLE) == pytest.approx(rate)


def test_it_is_one_minus_f1_only_where_the_possible_links_are_the_sure_ones():
    predicted = {(0, 0), (1, 2), (2, 2)}
    f1 = 2 * len(predicted & SURE) / (len(predicted) + len(SURE))
    assert alignment_error_rate(predicted, SURE, SURE) == pytest.approx(1 - f1)
    assert alignment_error_rate(predicted, SURE, POSSIBLE) < 1 - f1


def test_nothing_predicted_where_nothing_is_sure_is_no_error():
    assert alignment_error_rate(set(), set(), {(0, 0)}) == 0.0


def test_sentences_are_pooled_by_links_with_a_number():
    links = frozenset((number, *link) for number in range(2) for link in SURE)
    assert alignment_error_rate({(0, *link) for link in SURE}, links, links) == pytest.approx(1 - 6 / 9)


def test_a_sure_link_that_is_not_possible_is_refused(as_a_user):
    with pytest.raises(ValueError, match=r"possible must hold every sure link, but \(2, 1\) is missing"):
        alignment_error_rate(SURE, SURE, SURE - {(2, 1)})
