"""What is special to lab 10: the course's own functions pass, and a step is handed over that notes how it is called."""

import pytest
import torch

from helpers import long_contexts, positions
from helpers.checks import check
from helpers.checks.noting import MOST_CALLS, NotingStep


@pytest.mark.parametrize(
    "own",
    [
        positions.rotate,
        long_contexts.grouped_query_attention,
        long_contexts.online_step,
        long_contexts.sliding_window_mask,
        long_contexts.cache_bytes,
        long_contexts.attend_in_blocks,
    ],
)
def test_the_courses_own_version_passes(own, as_a_user):
    check(own, own.__name__, seed=0)


def test_a_step_that_is_called_without_end_says_so():
    step, state = NotingStep(), None
    with pytest.raises(ValueError, match="no end to it"):
        while True:
            state = step(state, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    assert len(step.notes) == MOST_CALLS


def test_scores_that_do_not_fit_the_values_are_told_by_their_shapes():
    with pytest.raises(ValueError, match=r"scores of shape \(1, 2, 3\) and values of shape \(1, 2, 4\)"):
        NotingStep()(None, torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))
