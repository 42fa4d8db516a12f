"""What only lab 4's checks do; what all do is in test_banks.py."""

import pytest
import torch

from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import examine
from helpers.checks.models import WatchedSeq2Seq
from tests.checks.answers.lab04_seq2seq.greedy_decode import drawn, gradients_left_off

TOKENS = torch.tensor([[1, 2, 3]])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return WatchedSeq2Seq(vocab_size=5, embed_dim=4, hidden_dim=3)


def test_the_global_random_numbers_are_the_same_after_a_check_of_an_answer_that_draws_some():
    before = torch.get_rng_state()
    examine(drawn, find_exercise("greedy_decode"), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_on_after_a_check_of_an_answer_that_turns_them_off():
    examine(gradients_left_off, find_exercise("greedy_decode"), seed=0)
    assert torch.is_grad_enabled()


def test_the_checks_model_drops_numbers_in_training_only_and_the_same_each_time(model):
    evaluated = model.eval()(TOKENS, TOKENS)
    trained = model.train()(TOKENS, TOKENS)
    assert not torch.allclose(evaluated, trained)
    assert torch.equal(trained, model(TOKENS, TOKENS))
    assert torch.equal(evaluated, model.eval()(TOKENS, TOKENS))


def test_the_checks_model_counts_calls_with_gradients_and_no_others(model):
    with torch.no_grad():
        model(TOKENS, TOKENS)
    assert model.state_dict()["embedding.calls_with_gradients"] == 0
    model(TOKENS, TOKENS)
    assert model.state_dict()["embedding.calls_with_gradients"] == 2  # once for the source, once for the target
