"""Associative recall: every variant has the same data and start, and only the scale differs."""

import pytest
import torch

from helpers import recall
from helpers.recall import LABELS, RUNS, SMALL_START, VARIANTS, of_variant, train_recall


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(recall, "STEPS", 3)


def test_losses_have_a_row_for_each_step_and_a_column_for_each_variant_and_seed(few_steps):
    losses, before, after = train_recall(16, 1e-2)
    assert losses.shape == (3, len(VARIANTS), RUNS)
    assert before[0].shape == after[1].shape == (len(VARIANTS) * RUNS, recall.WORDS, 16)


def test_a_run_can_be_repeated(few_steps):
    assert torch.equal(train_recall(16, 1e-2)[0], train_recall(16, 1e-2)[0])


def test_all_scales_start_with_the_same_queries_and_keys_whose_numbers_have_variance_one(few_steps):
    _, before, _ = train_recall(64, 1e-2)
    queries, keys = of_variant("1/√d", before)
    assert torch.equal(queries, of_variant("none", before)[0]) and torch.equal(keys, of_variant("1/d", before)[1])
    assert queries.var() == pytest.approx(1, abs=0.1) and keys.var() == pytest.approx(1, abs=0.1)


def test_a_small_start_begins_with_the_scores_of_the_root(few_steps):
    losses, before, _ = train_recall(64, 1e-2)
    small, root = of_variant(SMALL_START, before), of_variant("1/√d", before)
    assert torch.allclose(small[0] @ small[1].mT, root[0] @ root[1].mT / 8, atol=1e-4)
    assert torch.allclose(losses[0, 1], losses[0, 3], atol=1e-4)


def test_a_small_start_with_smaller_steps_in_queries_and_keys_trains_as_the_root_does(monkeypatch):
    monkeypatch.setattr(recall, "STEPS", 10)
    root = train_recall(256, 1e-2)[0][:, 1]
    assert torch.allclose(train_recall(256, 1e-2, share_of_rate=256**-0.25)[0][:, 3], root, atol=1e-3)
    assert not torch.allclose(train_recall(256, 1e-2)[0][:, 3], root, atol=0.05)


def test_models_do_not_share_anything(few_steps, monkeypatch):
    together = train_recall(16, 1e-2, torch.optim.SGD)[2][0][:RUNS]
    monkeypatch.setattr(recall, "VARIANTS", {"none": VARIANTS["none"]})
    alone = train_recall(16, 1e-2, torch.optim.SGD)[2][0]
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.slow
def test_with_the_root_the_questions_are_learned():
    losses = train_recall(16, 1e-2)[0]
    guessing = torch.tensor(float(LABELS)).log()
    assert losses[-20:, 1].mean() < 0.3 * guessing
