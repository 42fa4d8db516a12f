"""The encoder, the decoders, the loss and greedy decoding: what depends on what, and who may look where."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.seq2seq import (
    BahdanauDecoder,
    Encoder,
    LuongDecoder,
    PlainDecoder,
    PositionDecoder,
    Seq2Seq,
    greedy_decode,
    sequence_cross_entropy,
    shift_right,
)

VOCAB, EMBED, HIDDEN = 9, 5, 6
SOURCE = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [3, 3, 1, 3]])
LENGTHS = torch.tensor([2, 4, 3])

ATTENDING = {"luong": LuongDecoder, "bahdanau": BahdanauDecoder, "position": partial(PositionDecoder, max_len=7)}
DECODERS = {"plain": PlainDecoder, **ATTENDING}
EVERY_DECODER = pytest.mark.parametrize("decoder", DECODERS)
DIRECTIONS = pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
NETWORKS = pytest.mark.parametrize("rnn", [nn.GRU, nn.LSTM])


def model_of(decoder, bidirectional=False, **options):
    torch.manual_seed(0)
    encoder = Encoder(VOCAB, EMBED, HIDDEN, bidirectional, **options)
    return Seq2Seq(encoder, DECODERS[decoder](VOCAB, EMBED, HIDDEN, **options), VOCAB, HIDDEN)


@pytest.fixture(params=[(name, both_ways) for name in ATTENDING for both_ways in (False, True)], ids=str)
def model(request):
    return model_of(*request.param)


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


@NETWORKS
@pytest.mark.parametrize("num_layers", [1, 2])
def test_bahdanaus_equations_hold_step_by_step_in_float64(num_layers, rnn):
    torch.manual_seed(0)
    decoder = BahdanauDecoder(VOCAB, EMBED, HIDDEN, num_layers, rnn=rnn).double()
    keys, start = torch.randn(3, 4, HIDDEN).double(), random_state(rnn, num_layers)
    outputs, state_after, weights = decoder(keys, SOURCE, start)
    score = decoder.attention.score
    for b in range(3):
        state = row(start, b)
        for t in range(4):
            query = (state[0] if rnn is nn.LSTM else state)[-1, 0]  # the last layer's hidden state before this step
            scores = [score.w_v.weight[0] @ (score.W_q.weight @ query + score.W_k.weight @ s).tanh() for s in keys[b]]
            alpha = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
            context = sum(a * s for a, s in zip(alpha, keys[b], strict=True))
            read = torch.cat([context, decoder.embedding.weight[SOURCE[b, t]]])
            output, state = decoder.rnn(read[None, None], state)
            assert torch.allclose(weights[b, t], alpha)
            assert torch.allclose(outputs[b, t], output[0, 0])
        assert_same_state(row(state_after, b), state)


@NETWORKS
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_position_decoder_scores_places_by_token_and_state_step_by_step(num_layers, rnn):
    torch.manual_seed(0)
    decoder = PositionDecoder(VOCAB, EMBED, HIDDEN, max_len=7, num_layers=num_layers, rnn=rnn).double()
    values, start = torch.randn(3, 4, HIDDEN).double(), random_state(rnn, num_layers)
    outputs, state_after, weights = decoder(values, SOURCE, start)
    for b in range(3):
        state = row(start, b)
        for t in range(4):
            token = decoder.embedding.weight[SOURCE[b, t]]
            hidden = (state[0] if rnn is nn.LSTM else state)[-1, 0]
            scores = decoder.position_scores(torch.cat([token, hidden]))[:4]
            alpha = scores.exp() / scores.exp().sum()
            context = sum(a * s for a, s in zip(alpha, values[b], strict=True))
            read = decoder.combine(torch.cat([token, context])).clamp(min=0)
            output, state = decoder.rnn(read[None, None], state)
            assert torch.allclose(weights[b, t], alpha)
            assert torch.allclose(outputs[b, t], output[0, 0])
        assert_same_state(row(state_after, b), state)


def random_state(rnn, num_layers, batch=3):
    parts = [torch.randn(num_layers, batch, HIDDEN).double() for _ in range(2)]
    return tuple(parts) if rnn is nn.LSTM else parts[0]


def row(state, b):
    """The state of one sequence of the batch."""
    return tuple(part[:, b : b + 1] for part in state) if isinstance(state, tuple) else state[:, b : b + 1]


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def assert_same_state(one, other):
    assert isinstance(one, tuple) == isinstance(other, tuple)
    for a, b in zip(parts(one), parts(other), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(("decoder", "has_read_it"), [("luong", True), ("bahdanau", False), ("position", True)])
def test_the_query_of_bahdanau_has_not_read_the_token_of_its_own_step(decoder, has_read_it):
    model = model_of(decoder)
    encoder_out, state = model.encoder(SOURCE)
    other = SOURCE.clone()
    other[:, 2] = 1 + other[:, 2] % (VOCAB - 1)
    before, after = (model.decoder(encoder_out, decoder_x, state)[2] for decoder_x in (SOURCE, other))
    assert torch.equal(before[:, :2], after[:, :2])
    assert torch.equal(before[:, 2], after[:, 2]) != has_read_it
    assert not torch.allclose(before[:, 3], after[:, 3])


@pytest.mark.parametrize(("decoder", "in_state"), [("luong", False), ("bahdanau", True), ("position", True)])
def test_only_a_decoder_that_attends_before_its_network_carries_the_context_in_its_state(decoder, in_state):
    model = model_of(decoder)
    encoder_out, state = model.encoder(SOURCE)
    _, one, _ = model.decoder(encoder_out, SOURCE, state)
    _, other, _ = model.decoder(encoder_out + 1, SOURCE, state)
    assert torch.equal(one, other) != in_state


@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
def test_keys_in_another_order_take_their_weights_along_and_change_nothing_else(decoder):
    model = model_of(decoder)
    encoder_out, state = model.encoder(SOURCE)
    order = torch.tensor([2, 0, 3, 1])
    outputs, _, weights = model.decoder(encoder_out, SOURCE, state)
    shuffled_outputs, _, shuffled_weights = model.decoder(encoder_out[:, order], SOURCE, state)
    assert torch.allclose(shuffled_outputs, outputs, atol=1e-6)
    assert torch.allclose(shuffled_weights, weights[:, :, order], atol=1e-6)


def test_the_first_weights_of_a_position_decoder_do_not_depend_on_what_stands_in_the_source():
    model = model_of("position")
    encoder_out, state = model.encoder(SOURCE)
    outputs, _, weights = model.decoder(encoder_out, SOURCE, state)
    outputs_of_others, _, weights_of_others = model.decoder(torch.randn_like(encoder_out), SOURCE, state)
    assert torch.equal(weights[:, 0], weights_of_others[:, 0])
    assert not torch.allclose(weights[:, 1], weights_of_others[:, 1])  # by then the state has read the context
    assert not torch.allclose(outputs[:, 0], outputs_of_others[:, 0])


def test_a_position_decoder_refuses_a_source_longer_than_it_was_built_for(as_a_user):
    model = model_of("position")
    longest = torch.ones(2, 7, dtype=torch.long)
    assert greedy_decode(model, longest, 3)[1].shape == (2, 3, 7)
    with pytest.raises(ValueError, match=r"encoder_out must have at most 7 source positions, .* not 8"):
        greedy_decode(model, torch.ones(2, 8, dtype=torch.long), 3)


@NETWORKS
@pytest.mark.parametrize("num_layers", [1, 2])
@EVERY_DECODER
def test_decoding_step_by_step_is_the_same_as_all_at_once(decoder, num_layers, rnn):
    model = model_of(decoder, bidirectional=True, num_layers=num_layers, rnn=rnn)
    encoder_out, state = model.encoder(SOURCE, LENGTHS)
    outputs, last, weights = model.decoder(encoder_out, SOURCE, state, LENGTHS)
    for t in range(4):
        output, state, row_of_weights = model.decoder(encoder_out, SOURCE[:, t : t + 1], state, LENGTHS)
        assert torch.allclose(output, outputs[:, t : t + 1], atol=1e-6)
        assert weights is row_of_weights is None or torch.allclose(row_of_weights, weights[:, t : t + 1], atol=1e-6)
    assert_same_state(state, last)


@NETWORKS
@EVERY_DECODER
def test_a_model_of_two_layers_starts_every_layer_from_the_encoder_and_learns_in_all(decoder, rnn):
    model = model_of(decoder, bidirectional=True, num_layers=2, rnn=rnn)
    encoder_out, state = model.encoder(SOURCE)
    assert isinstance(state, tuple) == (rnn is nn.LSTM)
    hidden = state[0] if rnn is nn.LSTM else state
    assert hidden.shape == (2, 3, HIDDEN)
    half = HIDDEN // 2
    assert torch.equal(hidden[-1, :, :half], encoder_out[:, -1, :half])  # forwards: ready at the last token
    assert torch.equal(hidden[-1, :, half:], encoder_out[:, 0, half:])  # backwards: ready at the first
    _, raw = model.encoder.rnn(model.encoder.embedding(SOURCE))  # two directions a layer, of half the width each
    sides = [torch.stack([torch.cat([part[0], part[1]], -1), torch.cat([part[2], part[3]], -1)]) for part in parts(raw)]
    assert_same_state(tuple(sides), parts(state))
    outputs, last, _ = model.decoder(encoder_out, SOURCE, state)
    if decoder != "luong":  # whose output is made of state and context
        assert torch.equal((last[0] if rnn is nn.LSTM else last)[-1], outputs[:, -1])
    sequence_cross_entropy(model(SOURCE, shift_right(SOURCE)), SOURCE).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("num_layers", [1, 2])
@EVERY_DECODER
def test_dropout_works_in_training_and_only_there(decoder, num_layers):
    model = model_of(decoder, num_layers=num_layers, dropout=0.5)
    encoder_out, state = model.encoder(SOURCE)
    assert not torch.allclose(model.encoder(SOURCE)[0], encoder_out)
    once, twice = (model.decoder(encoder_out, SOURCE, state)[0] for _ in range(2))
    assert not torch.allclose(once, twice)
    model.decoder.dropout.p = 0.0  # what is left lies between the layers
    once, twice = (model.decoder(encoder_out, SOURCE, state)[0] for _ in range(2))
    assert torch.equal(once, twice) == (num_layers == 1)
    model.eval()
    assert torch.equal(model(SOURCE, SOURCE), model(SOURCE, SOURCE))
    without = model_of(decoder, num_layers=num_layers)
    without.load_state_dict(model.state_dict())
    assert torch.equal(model(SOURCE, SOURCE), without(SOURCE, SOURCE))


@EVERY_DECODER
def test_a_model_can_be_copied_after_a_training_step(decoder):
    model = model_of(decoder)
    sequence_cross_entropy(model(SOURCE, shift_right(SOURCE)), SOURCE).backward()
    assert torch.equal(copy.deepcopy(model)(SOURCE, SOURCE), model(SOURCE, SOURCE))


@EVERY_DECODER
@pytest.mark.parametrize(
    "encoder_options",
    [{"rnn": nn.LSTM}, {"num_layers": 2}, {"hidden_dim": HIDDEN + 2}],
    ids=["LSTM", "layers", "width"],
)
def test_a_state_from_an_encoder_of_another_kind_is_refused(decoder, encoder_options, as_a_user):
    encoder_out, state = Encoder(VOCAB, EMBED, **{"hidden_dim": HIDDEN, **encoder_options})(SOURCE)
    with pytest.raises(ValueError, match="hidden_state must be the state of this decoder's GRU"):
        model_of(decoder).decoder(encoder_out, SOURCE, state)
    lstm = model_of(decoder, rnn=nn.LSTM).decoder
    with pytest.raises(ValueError, match="hidden_state must be the state of this decoder's LSTM"):
        lstm(torch.randn(3, 4, HIDDEN), SOURCE, torch.zeros(1, 3, HIDDEN))


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
    [
        torch.tensor([1, 2]),
        torch.rand(2, 3),
        torch.tensor([[1, VOCAB]]),
        torch.tensor([[-1, 0]]),
        torch.zeros(2, 0).int(),
    ],
    ids=["one axis", "floats", "beyond the vocabulary", "negative", "empty"],
)
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


def other_padding(ids):
    """The same sequences, with other tokens beyond the lengths."""
    real = torch.arange(ids.shape[1]) < LENGTHS[:, None]
    return torch.where(real, ids, 1 + ids % (VOCAB - 1))


@DIRECTIONS
def test_a_packed_source_is_read_as_if_it_were_alone(bidirectional):
    encoder = model_of("plain", bidirectional).encoder
    encoder_out, state = encoder(SOURCE, LENGTHS)
    assert encoder_out.shape == (3, 4, HIDDEN)
    for b, length in enumerate(LENGTHS):
        alone_out, alone_state = encoder(SOURCE[b : b + 1, :length])
        assert torch.allclose(encoder_out[b, :length], alone_out[0], atol=1e-6)
        assert torch.allclose(state[:, b], alone_state[:, 0], atol=1e-6)
        assert (encoder_out[b, length:] == 0).all()


def test_without_lengths_the_padding_is_read():
    encoder = model_of("plain").encoder
    assert not torch.allclose(encoder(SOURCE)[1][:, 0], encoder(SOURCE, LENGTHS)[1][:, 0], atol=1e-2)


def test_full_lengths_are_the_same_as_none(model):
    full = torch.full((3,), 4)
    assert torch.allclose(model(SOURCE, SOURCE, full), model(SOURCE, SOURCE), atol=1e-6)


def test_a_batch_may_be_wider_than_its_longest_source():
    encoder_out, _ = model_of("plain").encoder(SOURCE, torch.tensor([1, 2, 3]))
    assert encoder_out.shape == (3, 4, HIDDEN)


@NETWORKS
@DIRECTIONS
@EVERY_DECODER
def test_what_lies_in_the_padding_has_no_influence(decoder, bidirectional, rnn):
    model = model_of(decoder, bidirectional, rnn=rnn)
    changed = other_padding(SOURCE)
    assert not torch.equal(changed, SOURCE)
    assert torch.equal(model(SOURCE, SOURCE, LENGTHS), model(changed, SOURCE, LENGTHS))
    before, after = (
        greedy_decode(model, SOURCE, 4, valid_lens=LENGTHS),
        greedy_decode(model, changed, 4, valid_lens=LENGTHS),
    )
    assert torch.equal(before[0], after[0])


def test_attention_gives_the_padding_no_weight(model):
    _, weights = greedy_decode(model, SOURCE, 5, valid_lens=LENGTHS)
    for b, length in enumerate(LENGTHS):
        assert (weights[b, :, length:] == 0).all()
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 5))


def test_a_plain_decoder_knows_nothing_of_the_source_but_the_state():
    decoder = model_of("plain").decoder
    state = torch.randn(1, 3, HIDDEN)
    outputs, state_after, weights = decoder(torch.randn(3, 4, HIDDEN), SOURCE, state)
    again, _, _ = decoder(torch.randn(3, 7, HIDDEN), SOURCE, state)
    assert torch.equal(outputs, again) and weights is None
    assert outputs.shape == (3, 4, HIDDEN) and torch.equal(state_after[0], outputs[:, -1])
    assert not torch.allclose(outputs, decoder(torch.randn(3, 4, HIDDEN), SOURCE, state + 1)[0])


def test_a_plain_decoder_is_a_gru_over_the_embedded_input():
    decoder = model_of("plain").decoder
    state = torch.randn(1, 3, HIDDEN)
    expected, _ = decoder.rnn(decoder.embedding(SOURCE), state)
    assert torch.equal(decoder(torch.zeros(3, 4, HIDDEN), SOURCE, state)[0], expected)


def test_greedy_decoding_without_attention_returns_no_weights_and_feeds_its_own_tokens_back():
    model = model_of("plain")
    ids, weights = greedy_decode(model, SOURCE, 6)
    assert weights is None and ids.shape == (3, 6)
    assert torch.equal(model(SOURCE, shift_right(ids)).argmax(dim=-1), ids)


def test_every_parameter_of_a_plain_model_learns():
    model = model_of("plain")
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
    model = model_of("plain")
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
    model = model_of("plain")
    with pytest.raises(ValueError, match="decoder_x must be token ids"):
        model(SOURCE, SOURCE.float())
    with pytest.raises(ValueError, match="decoder_x must have as many rows as encoder_out has, 3, not 2"):
        model(SOURCE, SOURCE[:2])
