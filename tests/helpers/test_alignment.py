"""Attention read as word alignment, and what a model writes when its weights are changed."""

import pytest
import torch

from helpers.alignment import WordDecoder, WordEncoder, align, error_rate, force, hide_each_word, rewrite, without
from helpers.corpora import train_tokenizer
from helpers.phrasebook import phrasebook
from helpers.seq2seq import BahdanauDecoder, Encoder, LuongDecoder, PlainDecoder, Seq2Seq, greedy_decode
from helpers.translation import Translator

PAIRS = phrasebook("fra", size=40)


def translator(encoder, decoder) -> Translator:
    torch.manual_seed(0)
    source = train_tokenizer((pair.source_text for pair in PAIRS), "word")
    target = train_tokenizer((" ".join(pair.target) for pair in PAIRS), "token")
    sizes = source.get_vocab_size(), target.get_vocab_size()
    return Translator(Seq2Seq(encoder(sizes[0], 6, 8), decoder(sizes[1], 6, 8), sizes[1], 8), source, target)


@pytest.fixture(params=[(Encoder, LuongDecoder), (WordEncoder, WordDecoder)], ids=["Luong", "word"])
def attending(request):
    return translator(*request.param)


def test_there_is_a_row_for_each_target_word_and_a_column_for_each_source_word(attending):
    weights = align(attending, PAIRS)
    assert [each.shape for each in weights] == [(len(pair.target), len(pair.source)) for pair in PAIRS]
    assert all((each.sum(dim=1) < 1).all() for each in weights)  # the rest is on <eos>


def test_a_pair_is_aligned_alike_alone_and_among_others(attending):
    together = align(attending, PAIRS)
    for index in (0, 7):
        (alone,) = align(attending, [PAIRS[index]])
        assert torch.allclose(alone, together[index], atol=1e-6)


def test_aligning_leaves_the_model_in_its_mode_and_has_no_dropout(attending):
    attending.model.train()
    first, again = align(attending, PAIRS[:3]), align(attending, PAIRS[:3])
    assert attending.model.training and all(map(torch.equal, first, again))


def test_the_weights_are_those_of_translating_where_the_model_writes_the_reference_itself(attending):
    written = attending.translate([PAIRS[0].source_text], max_len=5)[0]
    pair = PAIRS[0].__class__(**{**vars(PAIRS[0]), "target": written.tokens})
    (forced,) = align(attending, [pair])
    assert torch.allclose(forced, written.weights[:, : len(pair.source)], atol=1e-6)


def test_a_decoder_that_does_not_attend_is_refused():
    with pytest.raises(ValueError, match="must have a decoder that attends, not a PlainDecoder"):
        align(translator(Encoder, PlainDecoder), PAIRS)


def test_perfect_weights_have_no_error_and_all_pairs_count_together():
    gold = [torch.zeros(len(pair.target), len(pair.source)) for pair in PAIRS]
    for weights, pair in zip(gold, PAIRS, strict=True):
        weights[tuple(zip(*sorted(pair.possible), strict=True))] = 0.1
        for target, source in sorted(pair.alignment, reverse=True):
            weights[target] = weights[target].clamp(max=0.1)  # one sure link a row is the largest
            weights[target, source] = 0.9
    few = error_rate(gold, PAIRS)
    assert few < 0.02  # a word for two words has only one link here
    gold[0] = gold[0].flip(1)
    assert few < error_rate(gold, PAIRS) < few + 0.1


def test_as_many_matrices_as_pairs_are_asked_for():
    with pytest.raises(ValueError, match="weights must have one matrix for each of the 40 pairs, not 1"):
        error_rate([torch.eye(2)], PAIRS)


def test_with_its_own_weights_the_model_writes_what_it_writes(attending):
    forced = force(attending, PAIRS)
    logits = rewrite(attending, forced, forced.weights)
    assert torch.allclose(logits, attending.model.linear(forced.outputs), atol=1e-5)


def test_one_step_with_other_weights_changes_that_step_alone(attending):
    forced = force(attending, PAIRS)
    other = forced.weights.clone()
    other[:, 1] = other[:, 1].flip(-1)
    changed = (rewrite(attending, forced, other) - rewrite(attending, forced, forced.weights)).abs().amax(dim=(0, 2))
    assert changed[1] > 1e-3 and changed[0] < 1e-6 and changed[2:].max() < 1e-6


def test_the_gradient_of_the_output_reaches_the_weights(attending):
    forced = force(attending, PAIRS[:2])
    weights = forced.weights.clone().requires_grad_()
    rewrite(attending, forced, weights)[0, 1, 0].backward()
    assert weights.grad[0, 1].abs().sum() > 0 and weights.grad[1].abs().sum() == 0


def test_each_source_word_is_hidden_in_turn_and_what_is_written_then_is_as_long_as_the_reference(attending):
    pair = PAIRS[0]
    hidden = hide_each_word(attending, pair)
    assert sorted(hidden) == list(range(len(pair.source)))
    (seen,) = align(attending, [pair])
    for place, (weights, words) in hidden.items():
        assert weights[:, place].abs().max() == 0 and len(words) == len(pair.target)
        others = [other for other in hidden if other != place]
        assert (weights[:, others] > seen[:, others]).all()  # they have grown


def test_a_decoder_whose_steps_depend_on_earlier_weights_is_not_rewritten():
    bahdanau = translator(Encoder, BahdanauDecoder)
    forced = force(bahdanau, PAIRS[:2])
    with pytest.raises(ValueError, match="LuongDecoder or a WordDecoder, not a BahdanauDecoder"):
        rewrite(bahdanau, forced, forced.weights)


def test_without_a_position_the_others_grow_in_proportion():
    weights = torch.tensor([[[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]])
    left = without(weights, torch.tensor([[2, 1]]))
    assert torch.allclose(left, torch.tensor([[[0.4, 0.6, 0.0], [0.0, 0.0, 0.0]]]))
    assert weights[0, 0, 2] == 0.5  # the argument is as it was


@pytest.mark.parametrize("positions", [[[0]], [[0, 3]], [[-1, 0]]], ids=str)
def test_positions_that_do_not_fit_are_refused(positions, as_a_user):
    with pytest.raises(ValueError, match=r"positions must hold one position in 0\.\.2 for each row"):
        without(torch.rand(1, 2, 3), torch.tensor(positions))


def test_a_words_value_holds_the_word_itself_and_its_key_does_so_only_through_the_network():
    torch.manual_seed(0)
    encoder = WordEncoder(10, 4, 6)
    keys, values = encoder(torch.tensor([[5, 6, 7]]))[0].chunk(2, dim=-1)
    own = encoder.own_word(encoder.embedding(torch.tensor([[5, 6, 7]])))
    assert torch.allclose(values - keys, own, atol=1e-6)
    plain = Encoder.forward(encoder, torch.tensor([[5, 6, 7]]))[0]
    assert torch.equal(keys, plain)


def test_in_training_whole_words_are_hidden_from_the_decoder_and_the_weights_are_those_before_dropout():
    decoder = WordDecoder(10, 4, 6, word_dropout=0.5, attention_dropout=0.5).train()
    seen = []
    decoder.rnn.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    _, _, weights = decoder(torch.randn(8, 5, 12), torch.randint(10, (8, 20)), torch.zeros(1, 8, 6))
    hidden = (seen[0] == 0).all(dim=-1)
    assert hidden.any() and not hidden.all() and ((seen[0] == 0).any(dim=-1) == hidden).all()
    assert torch.allclose(weights.sum(dim=-1), torch.ones(8, 20), atol=1e-6) and (weights > 0).all()


def test_it_decodes_step_by_step_as_it_does_at_once():
    word = translator(WordEncoder, WordDecoder)
    ids = torch.tensor([[4, 5, 6, 2]])
    written, weights = greedy_decode(word.model, ids, 5, start=1)
    out, state = word.model.encoder(ids)
    _, _, at_once = word.model.eval().decoder(out, torch.cat([torch.tensor([[1]]), written[:, :-1]], dim=1), state)
    assert torch.allclose(weights, at_once, atol=1e-6)
