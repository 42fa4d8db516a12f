"""The encoder, the decoders, the loss and greedy decoding: what depends on what, and who may look where."""

import pytest
import torch
from torch.nn import functional as F

from helpers.seq2seq import (
    Encoder,
    LuongDecoder,
    PlainDecoder,
    Seq2Seq,
    greedy_decode,
    sequence_cross_entropy,
    shift_right,
)

VOCAB, EMBED, HIDDEN = 9, 5, 6
SOURCE = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [3, 3, 1, 3]])


@pytest.fixture(params=[False, True], ids=["one-way", "both-ways"])
def model(request):
    torch.manual_seed(0)
    encoder = Encoder(VOCAB, EMBED, HIDDEN, bidirectional=request.param)
    return Seq2Seq(encoder, LuongDecoder(VOCAB, EMBED, HIDDEN), VOCAB, HIDDEN)


def test_shapes_are_batch_first(model):
    encoder_out, state = model.encoder(SOURCE)
    outputs, state_after, weights = model.decoder(encoder_out, SOURCE[:, :2], state)
    assert encoder_out.shape == (3, 4, HIDDEN) and state.shape == state_after.shape == (1, 3, HIDDEN)
    assert outputs.shape == (3, 2, HIDDEN) and weights.shape == (3, 2, 4)
    assert model(SOURCE, SOURCE[:, :2]).shape == (3, 2, VOCAB)


def test_sequences_of_a_batch_do_not_influence_one_another(model):
    decoder_x = SOURCE.flip(1)
    alone = torch.cat([model(SOURCE[i : i + 1], decoder_x[i : i + 1]) for i in range(3)])
    assert torch.allclose(model(SOURCE, decoder_x), alone, atol=1e-6)


def test_the_state_of_an_encoder_has_read_the_whole_source():
    torch.manual_seed(0)
    encoder_out, state = Encoder(VOCAB, EMBED, HIDDEN)(SOURCE)
    assert torch.equal(state[0], encoder_out[:, -1])
    encoder_out, state = Encoder(VOCAB, EMBED, HIDDEN, bidirectional=True)(SOURCE)
    half = HIDDEN // 2
    assert torch.equal(state[0, :, :half], encoder_out[:, -1, :half])  # forwards: ready at the last token
    assert torch.equal(state[0, :, half:], encoder_out[:, 0, half:])  # backwards: ready at the first


@pytest.mark.parametrize("bidirectional", [False, True])
def test_only_an_encoder_that_reads_both_ways_knows_what_comes_after_a_token(bidirectional):
    torch.manual_seed(0)
    encoder = Encoder(VOCAB, EMBED, HIDDEN, bidirectional)
    changed = SOURCE.clone()
    changed[:, 2:] = 1 + changed[:, 2:] % (VOCAB - 1)
    before, after = encoder(SOURCE)[0][:, :2], encoder(changed)[0][:, :2]
    assert torch.equal(before, after) != bidirectional


def test_the_decoder_cannot_see_the_future(model):
    decoder_x = SOURCE.flip(1)
    logits = model(SOURCE, decoder_x)
    for step in range(3):
        changed = decoder_x.clone()
        changed[:, step + 1 :] = 1 + changed[:, step + 1 :] % (VOCAB - 1)
        after = model(SOURCE, changed)
        assert torch.equal(after[:, : step + 1], logits[:, : step + 1])
        assert not torch.allclose(after[:, step + 1], logits[:, step + 1])


def test_the_decoder_starts_from_the_encoders_state(model):
    encoder_out, state = model.encoder(SOURCE)
    outputs, _, _ = model.decoder(encoder_out, SOURCE, state)
    assert torch.equal(model(SOURCE, SOURCE), model.linear(outputs))
    from_zero, _, _ = model.decoder(encoder_out, SOURCE, torch.zeros_like(state))
    assert not torch.allclose(outputs, from_zero)


def test_luongs_equations_hold_step_by_step_in_float64():
    torch.manual_seed(0)
    decoder = LuongDecoder(VOCAB, EMBED, HIDDEN).double()
    keys, state = torch.randn(3, 4, HIDDEN).double(), torch.randn(1, 3, HIDDEN).double()
    outputs, _, weights = decoder(keys, SOURCE, state)
    hidden, _ = decoder.rnn(decoder.embedding(SOURCE), state)
    for b in range(3):
        for t in range(4):
            scores = torch.stack([hidden[b, t] @ decoder.W_a.weight @ s for s in keys[b]])
            alpha = scores.exp() / scores.exp().sum()
            context = sum(a * s for a, s in zip(alpha, keys[b], strict=True))
            attentional = torch.tanh(decoder.W_c.weight @ torch.cat([context, hidden[b, t]]))
            assert torch.allclose(weights[b, t], alpha)
            assert torch.allclose(outputs[b, t], attentional)


def test_every_parameter_learns(model):
    logits = model(SOURCE, shift_right(SOURCE))
    F.cross_entropy(logits.flatten(0, 1), SOURCE.flatten()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_decoders_parameters_carry_the_names_of_lab_5():
    decoder = LuongDecoder(VOCAB, EMBED, HIDDEN)
    shapes = {name: tuple(parameter.shape) for name, parameter in decoder.named_parameters() if "rnn" not in name}
    assert shapes == {
        "embedding.weight": (VOCAB, EMBED),
        "W_a.weight": (HIDDEN, HIDDEN),
        "W_c.weight": (HIDDEN, 2 * HIDDEN),
    }
    assert decoder.rnn.batch_first


def test_shift_right_puts_the_start_first_and_drops_the_last():
    targets = torch.tensor([[3, 1, 2], [4, 5, 6]])
    assert shift_right(targets).tolist() == [[0, 3, 1], [0, 4, 5]]
    assert shift_right(targets, start=7).tolist() == [[7, 3, 1], [7, 4, 5]]
    assert targets.tolist() == [[3, 1, 2], [4, 5, 6]]


def test_greedy_decoding_equals_feeding_the_likeliest_token_back_by_hand(model):
    ids, weights = greedy_decode(model, SOURCE, 5, start=2)
    decoder_x = torch.full((3, 1), 2)
    for _ in range(5):  # from the beginning again at every step, through `forward`
        likeliest = model(SOURCE, decoder_x)[:, -1].argmax(dim=-1, keepdim=True)
        decoder_x = torch.cat([decoder_x, likeliest], dim=1)
    assert torch.equal(ids, decoder_x[:, 1:])
    encoder_out, state = model.encoder(SOURCE)
    assert torch.allclose(weights, model.decoder(encoder_out, decoder_x[:, :-1], state)[2], atol=1e-6)


def test_greedy_decoding_agrees_with_teacher_forcing_on_its_own_output(model):
    ids, _ = greedy_decode(model, SOURCE, 6)
    assert torch.equal(model(SOURCE, shift_right(ids)).argmax(dim=-1), ids)


def test_greedy_weights_are_one_row_a_written_token_and_each_sums_to_1(model):
    ids, weights = greedy_decode(model, SOURCE, 7)
    assert ids.shape == (3, 7) and weights.shape == (3, 7, 4)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 7))


@pytest.mark.parametrize("training", [True, False])
def test_greedy_decoding_runs_in_evaluation_mode_and_puts_the_mode_back(model, training):
    seen = []
    model.encoder.register_forward_hook(lambda *_: seen.append(model.decoder.training))
    model.train(training)
    _, weights = greedy_decode(model, SOURCE, 2)
    assert seen == [False]
    assert model.training == model.decoder.training == training
    assert not weights.requires_grad


def test_greedy_decoding_puts_the_mode_back_even_after_an_error(model, as_a_user):
    model.train()
    with pytest.raises(ValueError):
        greedy_decode(model, SOURCE + VOCAB, 2)
    assert model.training


@pytest.mark.parametrize(
    "ids",
    [torch.tensor([1, 2]), torch.rand(2, 3), torch.tensor([[1, VOCAB]]), torch.tensor([[-1, 0]]), torch.zeros(2, 0).int()],
    ids=["one axis", "floats", "beyond the vocabulary", "negative", "empty"],
)  # fmt: skip
def test_what_are_no_token_ids_is_refused_by_the_name_of_the_argument(model, ids, as_a_user):
    with pytest.raises(ValueError, match="encoder_x must"):
        model(ids, SOURCE)
    with pytest.raises(ValueError, match="encoder_x must"):
        greedy_decode(model, ids, 3)
    with pytest.raises(ValueError, match="decoder_x must"):
        model(SOURCE, ids)


def test_batches_of_unequal_size_are_refused(model, as_a_user):
    with pytest.raises(ValueError, match="decoder_x must have as many rows as encoder_out has, 3, not 2"):
        model(SOURCE, SOURCE[:2])


def test_an_odd_hidden_size_cannot_be_shared_by_two_directions():
    with pytest.raises(ValueError, match="hidden_dim must be even for two directions, not 7"):
        Encoder(VOCAB, EMBED, 7, bidirectional=True)
    assert Encoder(VOCAB, EMBED, 7)(SOURCE)[0].shape == (3, 4, 7)


def test_a_length_below_1_and_targets_without_two_axes_are_refused(model, as_a_user):
    with pytest.raises(ValueError, match="length must be at least 1, not 0"):
        greedy_decode(model, SOURCE, 0)
    with pytest.raises(ValueError, match=r"targets must have shape \(batch, target\), not \(4,\)"):
        shift_right(SOURCE[0])


LENGTHS = torch.tensor([2, 4, 3])
DECODERS = pytest.mark.parametrize("decoder", [PlainDecoder, LuongDecoder])
DIRECTIONS = pytest.mark.parametrize("bidirectional", [False, True])


def model_of(decoder, bidirectional=False):
    torch.manual_seed(0)
    encoder = Encoder(VOCAB, EMBED, HIDDEN, bidirectional)
    return Seq2Seq(encoder, decoder(VOCAB, EMBED, HIDDEN), VOCAB, HIDDEN)


def other_padding(ids):
    """The same sequences, with other tokens beyond the lengths."""
    real = torch.arange(ids.shape[1]) < LENGTHS[:, None]
    return torch.where(real, ids, 1 + ids % (VOCAB - 1))


@DIRECTIONS
def test_a_packed_source_is_read_as_if_it_were_alone(bidirectional):
    encoder = model_of(PlainDecoder, bidirectional).encoder
    encoder_out, state = encoder(SOURCE, LENGTHS)
    assert encoder_out.shape == (3, 4, HIDDEN)
    for b, length in enumerate(LENGTHS):
        alone_out, alone_state = encoder(SOURCE[b : b + 1, :length])
        assert torch.allclose(encoder_out[b, :length], alone_out[0], atol=1e-6)
        assert torch.allclose(state[:, b], alone_state[:, 0], atol=1e-6)
        assert (encoder_out[b, length:] == 0).all()


def test_without_lengths_the_padding_is_read():
    encoder = model_of(PlainDecoder).encoder
    assert not torch.allclose(encoder(SOURCE)[1][:, 0], encoder(SOURCE, LENGTHS)[1][:, 0], atol=1e-2)


def test_full_lengths_are_the_same_as_none(model):
    full = torch.full((3,), 4)
    assert torch.allclose(model(SOURCE, SOURCE, full), model(SOURCE, SOURCE), atol=1e-6)


def test_a_batch_may_be_wider_than_its_longest_source():
    encoder_out, _ = model_of(PlainDecoder).encoder(SOURCE, torch.tensor([1, 2, 3]))
    assert encoder_out.shape == (3, 4, HIDDEN)


@DIRECTIONS
@DECODERS
def test_what_lies_in_the_padding_has_no_influence(decoder, bidirectional):
    model = model_of(decoder, bidirectional)
    changed = other_padding(SOURCE)
    assert not torch.equal(changed, SOURCE)
    assert torch.equal(model(SOURCE, SOURCE, LENGTHS), model(changed, SOURCE, LENGTHS))
    before, after = (
        greedy_decode(model, SOURCE, 4, valid_lens=LENGTHS),
        greedy_decode(model, changed, 4, valid_lens=LENGTHS),
    )
    assert torch.equal(before[0], after[0])


def test_attention_gives_the_padding_no_weight():
    _, weights = greedy_decode(model_of(LuongDecoder), SOURCE, 5, valid_lens=LENGTHS)
    for b, length in enumerate(LENGTHS):
        assert (weights[b, :, length:] == 0).all()
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 5))


def test_a_plain_decoder_knows_nothing_of_the_source_but_the_state():
    decoder = model_of(PlainDecoder).decoder
    state = torch.randn(1, 3, HIDDEN)
    outputs, state_after, weights = decoder(torch.randn(3, 4, HIDDEN), SOURCE, state)
    again, _, _ = decoder(torch.randn(3, 7, HIDDEN), SOURCE, state)
    assert torch.equal(outputs, again) and weights is None
    assert outputs.shape == (3, 4, HIDDEN) and torch.equal(state_after[0], outputs[:, -1])
    assert not torch.allclose(outputs, decoder(torch.randn(3, 4, HIDDEN), SOURCE, state + 1)[0])


def test_a_plain_decoder_is_a_gru_over_the_embedded_input():
    decoder = model_of(PlainDecoder).decoder
    state = torch.randn(1, 3, HIDDEN)
    expected, _ = decoder.rnn(decoder.embedding(SOURCE), state)
    assert torch.equal(decoder(torch.zeros(3, 4, HIDDEN), SOURCE, state)[0], expected)


def test_greedy_decoding_without_attention_returns_no_weights_and_feeds_its_own_tokens_back():
    model = model_of(PlainDecoder)
    ids, weights = greedy_decode(model, SOURCE, 6)
    assert weights is None and ids.shape == (3, 6)
    assert torch.equal(model(SOURCE, shift_right(ids)).argmax(dim=-1), ids)


def test_every_parameter_of_a_plain_model_learns():
    model = model_of(PlainDecoder)
    sequence_cross_entropy(model(SOURCE, shift_right(SOURCE)), SOURCE).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_loss_is_the_mean_over_every_real_token_of_the_batch():
    logits = torch.randn(3, 4, VOCAB, dtype=torch.float64)
    tokens = [-logits[b, t].log_softmax(-1)[SOURCE[b, t]] for b in range(3) for t in range(int(LENGTHS[b]))]
    assert torch.allclose(sequence_cross_entropy(logits, SOURCE, LENGTHS), torch.stack(tokens).mean())
    rows = [F.cross_entropy(logits[b, :length], SOURCE[b, :length]) for b, length in enumerate(LENGTHS)]
    assert not torch.allclose(
        torch.stack(rows).mean(), torch.stack(tokens).mean()
    )  # lengths that can tell the two apart


def test_the_loss_and_its_gradient_ignore_the_padding():
    logits = torch.randn(3, 4, VOCAB, requires_grad=True)
    loss = sequence_cross_entropy(logits, SOURCE, LENGTHS)
    assert torch.equal(loss, sequence_cross_entropy(logits, other_padding(SOURCE), LENGTHS))
    loss.backward()
    for b, length in enumerate(LENGTHS):
        assert (logits.grad[b, length:] == 0).all() and (logits.grad[b, :length] != 0).all()


def test_the_loss_without_lengths_counts_every_token():
    logits = torch.randn(3, 4, VOCAB)
    full = sequence_cross_entropy(logits, SOURCE, torch.full((3,), 4))
    assert torch.allclose(sequence_cross_entropy(logits, SOURCE), full)


@pytest.mark.parametrize(
    "lengths",
    [torch.tensor([1, 2]), torch.tensor([0, 2, 3]), torch.tensor([1, 2, 5]), torch.tensor([1.0, 2.0, 3.0])],
    ids=["too few", "an empty source", "beyond the end", "floats"],
)
def test_lengths_that_do_not_fit_are_refused(lengths, as_a_user):
    model = model_of(PlainDecoder)
    with pytest.raises(ValueError, match="valid_lens must"):
        model(SOURCE, SOURCE, lengths)
    with pytest.raises(ValueError, match="valid_lens must"):
        greedy_decode(model, SOURCE, 2, valid_lens=lengths)
    with pytest.raises(ValueError, match="valid_lens must"):
        sequence_cross_entropy(torch.randn(3, 4, VOCAB), SOURCE, lengths)


@pytest.mark.parametrize("shape", [(3, 5, VOCAB), (3, 4), (2, 4, VOCAB)], ids=str)
def test_logits_that_do_not_fit_the_targets_are_refused(shape, as_a_user):
    with pytest.raises(ValueError, match="logits must have shape"):
        sequence_cross_entropy(torch.randn(shape), SOURCE)


def test_a_plain_decoder_refuses_what_is_no_batch_of_token_ids(as_a_user):
    model = model_of(PlainDecoder)
    with pytest.raises(ValueError, match="decoder_x must be token ids"):
        model(SOURCE, SOURCE.float())
    with pytest.raises(ValueError, match="decoder_x must have as many rows as encoder_out has, 3, not 2"):
        model(SOURCE, SOURCE[:2])
