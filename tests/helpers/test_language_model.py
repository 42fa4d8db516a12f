"""The course's language model: the same numbers with the cache and without, and its functions pass the lab's checks."""

import pytest
import torch

from helpers import language_model
from helpers.checks import check
from helpers.language_model import (
    LanguageModel,
    cached_attention,
    generate,
    next_token_targets,
    perplexity,
    sample_next,
)
from helpers.transformer import TransformerBlock


def small_model(attend=cached_attention) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(11, embed_dim=8, num_heads=2, hidden_dim=12, num_layers=2, attend=attend).eval()


@pytest.mark.parametrize("name", ["next_token_targets", "cached_attention", "sample_next", "perplexity"])
def test_the_courses_own_version_passes(name):
    check(getattr(language_model, name), seed=0)


def test_fed_in_pieces_a_model_gives_the_logits_of_the_whole():
    model, ids = small_model(), torch.randint(11, (3, 9), generator=torch.Generator().manual_seed(1))
    whole, _ = model(ids)
    pieces, cache = [], None
    for piece in ids.split([4, 1, 3, 1], dim=1):
        logits, cache = model(piece, cache)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
    assert {tensor.shape for pair in cache for tensor in pair} == {(3, 2, 9, 4)}


def test_its_block_is_a_transformer_block_with_a_causal_mask():
    block, theirs = small_model().blocks[0], TransformerBlock(8, 2, 12)
    weights = theirs.state_dict()
    block.load_state_dict({name.replace("attention.", ""): weight for name, weight in weights.items()})
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(block(x)[0], theirs(x, torch.ones(5, 5, dtype=torch.bool).tril()))


def test_another_attention_can_be_put_into_its_blocks():
    calls = []

    def counting(*args):
        calls.append(args)
        return cached_attention(*args)

    small_model(attend=counting)(torch.tensor([[1, 2]]))
    assert len(calls) == 2


def test_generation_stops_at_eos_and_at_the_most_and_keeps_no_graph():
    model, greedy = small_model(), lambda logits: logits.argmax(-1)
    written = generate(model, [1, 2], 6, eos=-1, choose=greedy)
    assert len(written) == 6
    eos = written[-1]
    assert generate(model, [1, 2], 6, eos, greedy) == written[: written.index(eos)]
    assert generate(model, [1, 2], 0, eos, greedy) == [] and torch.is_grad_enabled()
    ids = torch.tensor([[1, 2, *written]])
    assert model(ids)[0][0, 1:-1].argmax(-1).tolist() == written


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: next_token_targets(torch.ones(2, 1, dtype=torch.int64), 0), "ids"),
        (lambda: cached_attention(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 2), torch.ones(1, 1, 2, 2)), "keys"),
        (lambda: sample_next(torch.ones(1, 3), temperature=-1.0), "temperature"),
        (lambda: sample_next(torch.ones(1, 3), top_k=4), "top_k"),
        (lambda: generate(small_model(), [], 3, 0), "prompt"),
        (lambda: perplexity(torch.ones(1, 1, 2), torch.tensor([[0]]), torch.tensor([[False]])), "valid"),
        (lambda: LanguageModel(5, 8, 3, 8, attend=cached_attention), "num_heads"),
        (lambda: LanguageModel(5, 8, 2, 8, num_layers=0, attend=cached_attention), "num_layers"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_fit_is_said_by_name(call, named):
    with pytest.raises(Exception, match=named):
        call()
