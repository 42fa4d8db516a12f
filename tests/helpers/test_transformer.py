"""Positions, blocks and the Transformer: equal to their definitions and to PyTorch's, and nobody sees the future."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.attention import causal_mask, length_mask
from helpers.seq2seq import shift_right
from helpers.tasks import VOCAB_SIZE, reverse_batch
from helpers.training import fit, seed_everything
from helpers.transformer import Transformer, TransformerBlock, TransformerDecoderBlock, sinusoidal_positions

VOCAB = 9
SOURCE = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [3, 3, 1, 3]])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Transformer(VOCAB, embed_dim=12, num_heads=3, hidden_dim=20)


def into_pytorchs(attention, theirs):
    """Copy the weights of the course's multi-head attention into an `nn.MultiheadAttention`."""
    three = (attention.W_q, attention.W_k, attention.W_v)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([each.weight for each in three]))
        theirs.in_proj_bias.copy_(torch.cat([each.bias for each in three]))
    theirs.out_proj.load_state_dict(attention.W_o.state_dict())


@pytest.mark.parametrize(("length", "dim"), [(7, 6), (5, 3), (1, 1)])
def test_positions_are_interleaved_sines_and_cosines_from_position_0(length, dim):
    positions = sinusoidal_positions(length, dim)
    assert positions.shape == (length, dim)
    for t in range(length):
        for column in range(dim):
            angle = t / 10000 ** (2 * (column // 2) / dim)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert math.isclose(positions[t, column], expected, abs_tol=1e-6)


def test_the_product_of_two_positions_depends_on_their_distance_only_even_far_out():
    positions = sinusoidal_positions(5000, 16)
    products = (positions[:-3] * positions[3:]).sum(dim=1)
    assert torch.allclose(products, products[0].expand(4997), atol=1e-5)


@pytest.mark.parametrize(
    "mask", [None, causal_mask(5), length_mask(torch.tensor([5, 2, 4]), 5)[:, None].expand(3, 5, 5)]
)
def test_a_block_is_pytorchs_encoder_layer(mask):
    torch.manual_seed(0)
    ours = TransformerBlock(12, 3, 20)
    theirs = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True)
    into_pytorchs(ours.attention, theirs.self_attn)
    for name in ("norm1", "linear1", "linear2", "norm2"):
        nn.init.normal_(getattr(ours, name).weight)  # so that norm1 and norm2 can't be taken for each other
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    x = draw(3, 5, 12)
    inverted = None if mask is None else ~mask if mask.dim() == 2 else (~mask).repeat_interleave(3, dim=0)
    assert torch.allclose(ours(x, mask), theirs(x, src_mask=inverted), atol=1e-5)


def test_a_decoder_block_is_pytorchs_decoder_layer():
    torch.manual_seed(0)
    ours = TransformerDecoderBlock(12, 3, 20)
    theirs = nn.TransformerDecoderLayer(12, 3, 20, dropout=0.0, batch_first=True)
    into_pytorchs(ours.self_attention, theirs.self_attn)
    into_pytorchs(ours.cross_attention, theirs.multihead_attn)
    for name in ("norm1", "norm2", "linear1", "linear2", "norm3"):
        nn.init.normal_(getattr(ours, name).weight)
        getattr(theirs, name).load_state_dict(getattr(ours, name).state_dict())
    x, encoder_out, real = draw(3, 5, 12), draw(3, 4, 12, seed=1), length_mask(torch.tensor([4, 1, 2]), 4)
    output, weights = ours(x, encoder_out, real[:, None])
    expected = theirs(x, encoder_out, tgt_mask=~causal_mask(5), memory_key_padding_mask=~real)
    assert torch.allclose(output, expected, atol=1e-5)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 3, 5))
    assert (weights.masked_select(~real[:, None, None]) == 0).all()


def test_the_parameters_of_a_block_carry_the_names_of_lab_8():
    names = {name.partition(".")[0] for name, _ in TransformerBlock(12, 3, 20).named_parameters()}
    assert names == {"attention", "norm1", "linear1", "linear2", "norm2"}


def test_a_block_without_a_mask_does_not_know_the_order_of_its_input():
    torch.manual_seed(0)
    block, x, order = TransformerBlock(12, 3, 20), draw(2, 5, 12), torch.tensor([3, 0, 4, 2, 1])
    assert torch.allclose(block(x[:, order]), block(x)[:, order], atol=1e-6)


@pytest.mark.parametrize("build", [TransformerBlock, TransformerDecoderBlock])
def test_dropout_acts_in_training_only(build):
    torch.manual_seed(0)
    block, inputs = build(12, 3, 20, dropout=0.5), [draw(2, 5, 12)] * (1 + (build is TransformerDecoderBlock))
    first, second = (block(*inputs) for _ in range(2))
    outputs = (first, second) if isinstance(first, torch.Tensor) else (first[0], second[0])
    assert not torch.allclose(*outputs)
    block.eval()
    first, second = (block(*inputs) for _ in range(2))
    outputs = (first, second) if isinstance(first, torch.Tensor) else (first[0], second[0])
    assert torch.equal(*outputs)


def test_the_decoder_cannot_see_the_future(model):
    decoder_x = SOURCE.flip(1)
    logits = model(SOURCE, decoder_x)
    for step in range(3):
        changed = decoder_x.clone()
        changed[:, step + 1 :] = 1 + changed[:, step + 1 :] % (VOCAB - 1)
        after = model(SOURCE, changed)
        assert torch.allclose(after[:, : step + 1], logits[:, : step + 1], atol=1e-6)
        assert not torch.allclose(after[:, step + 1], logits[:, step + 1], atol=1e-3)


def test_the_order_of_the_source_matters_and_the_encoder_sees_all_of_it(model):
    encoder_out = model.encode(SOURCE)
    assert not torch.allclose(model.encode(SOURCE.flip(1)).flip(1), encoder_out, atol=1e-2)
    changed = SOURCE.clone()
    changed[:, 3] = 1 + changed[:, 3] % (VOCAB - 1)
    assert ((model.encode(changed) - encoder_out).abs().amax(dim=(0, 2)) > 1e-3).all()


def test_padding_in_the_source_makes_no_difference(model):
    alone = model(SOURCE[:1, :2], SOURCE[:1])
    for garbage in (0, 5):
        padded = SOURCE.clone()
        padded[:, 2:] = garbage
        valid_lens = torch.tensor([2, 4, 3])
        assert torch.allclose(model(padded, SOURCE, valid_lens)[:1], alone, atol=1e-6)


def test_sequences_of_a_batch_do_not_influence_one_another(model):
    alone = torch.cat([model(SOURCE[i : i + 1], SOURCE[i : i + 1]) for i in range(3)])
    assert torch.allclose(model(SOURCE, SOURCE), alone, atol=1e-6)


def test_every_parameter_learns(model):
    logits = model(SOURCE, shift_right(SOURCE))
    F.cross_entropy(logits.flatten(0, 1), SOURCE.flatten()).backward()
    for name, parameter in model.named_parameters():
        # A key's bias adds the same to all scores of a query, so its gradient is 0 up to rounding.
        assert parameter.grad is not None and (parameter.grad.abs().sum() > 0 or name.endswith("W_k.bias")), name


def test_greedy_decoding_agrees_with_teacher_forcing_on_its_own_output(model):
    valid_lens = torch.tensor([2, 4, 3])
    ids, weights = model.greedy_decode(SOURCE, 6, start=2, valid_lens=valid_lens)
    decoder_x = shift_right(ids, start=2)
    logits, expected = model.decode(model.encode(SOURCE, valid_lens), decoder_x, valid_lens)
    assert ids.shape == (3, 6) and weights.shape == (3, 2, 3, 6, 4)  # (batch, layer, heads, target, source)
    assert torch.equal(logits.argmax(dim=-1), ids)
    assert torch.allclose(weights, expected, atol=1e-6)
    assert (weights[0, :, :, :, 2:] == 0).all()
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 2, 3, 6))


@pytest.mark.parametrize("training", [True, False])
def test_greedy_decoding_runs_in_evaluation_mode_and_puts_the_mode_back(training):
    torch.manual_seed(0)
    model = Transformer(VOCAB, 12, 3, 20, dropout=0.5).train(training)
    first, second = (model.greedy_decode(SOURCE, 5)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert model.training == training and model.decoder[0].dropout.training == training
    with pytest.raises(ValueError, match="encoder_x must lie in"):
        model.greedy_decode(SOURCE + VOCAB, 5)
    assert model.training == training


def test_greedy_decoding_keeps_no_graph(model):
    assert not model.greedy_decode(SOURCE, 2)[1].requires_grad


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: sinusoidal_positions(0, 4), "length and dim must be at least 1, not 0 and 4"),
        (lambda m: sinusoidal_positions(3, 0), "length and dim must be at least 1, not 3 and 0"),
        (lambda m: TransformerBlock(10, 4, 8), "embed_dim must be a multiple of num_heads"),
        (lambda m: Transformer(VOCAB, 12, 5, 8), "embed_dim must be a multiple of num_heads"),
        (lambda m: Transformer(VOCAB, 12, 3, 8, num_layers=0), "num_layers must be at least 1, not 0"),
        (lambda m: m(SOURCE + 5, SOURCE), r"encoder_x must lie in 0\.\.8"),
        (lambda m: m(SOURCE, SOURCE[0]), "decoder_x must be token ids"),
        (lambda m: m(SOURCE, SOURCE[:2]), "must have one batch size"),
        (lambda m: m(SOURCE, SOURCE, torch.tensor([1, 2])), r"valid_lens must hold integers of shape \(3,\)"),
        (lambda m: m(SOURCE, SOURCE, torch.tensor([0, 2, 3])), r"valid_lens must lie in 1\.\.4"),
        (lambda m: m.greedy_decode(SOURCE, 0), "length must be at least 1, not 0"),
    ],
)
def test_bad_input_is_told_in_the_users_words(model, as_a_user, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(model)


@pytest.mark.slow
def test_a_transformer_learns_to_reverse_strings():
    torch.set_num_threads(1)
    seed_everything(0)
    model = Transformer(VOCAB_SIZE, 32, 4, 64)

    def loss(model, strings, targets):
        return F.cross_entropy(model(strings, shift_right(targets)).flatten(0, 1), targets.flatten())

    fit(model, lambda: reverse_batch(64, 5), loss, 200, max_lr=1e-2)
    strings, targets = reverse_batch(200, 5, torch.Generator().manual_seed(1))
    assert (model.greedy_decode(strings, 5)[0] == targets).all(dim=1).float().mean() > 0.9
