"""The step that a check hands to `attend_in_blocks` of lab 10: it does the sum, and notes what it is called with.

It is a module whose notes are a buffer: that is part of its state, which comes back from another process, too.
"""

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor, Tensor]
MOST_CALLS = 200  # an answer that goes on for ever is told so, rather than waited for


class NotingStep(nn.Module):
    """An online step in its plainest form. `notes` has a row a call: (B, Q, k) of the scores, and k of the values."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("notes", torch.zeros(0, 4, dtype=torch.int64))
        self.notes: Tensor

    def forward(self, state: State | None, scores: Tensor, values: Tensor, /) -> State:
        """The state after one more block: `state`, scores (B, Q, k) and values (B, k, v).

        Raises:
            ValueError: if the three don't fit together, or it has been called far more often than any case wants.
        """
        if scores.dim() != 3 or values.dim() != 3 or scores.shape[2] != values.shape[1]:
            raise ValueError(
                f"step was called with scores of shape {tuple(scores.shape)} and values of shape "
                f"{tuple(values.shape)}, and not with (batch, query, k) and (batch, k, v)"
            )
        if len(self.notes) >= MOST_CALLS:
            raise ValueError(f"step has been called {MOST_CALLS} times, and there is no end to it")
        self.notes = torch.cat([self.notes, torch.tensor([[*scores.shape, values.shape[1]]])])
        best = scores.detach().amax(2, keepdim=True)
        maximum = best if state is None else torch.maximum(best, state[0].detach())
        weights = (scores - maximum).exp()
        total, gathered = weights.sum(2, keepdim=True), weights @ values
        if state is not None:
            kept = state[1] * (state[0].detach() - maximum).exp()
            total, gathered = total + kept, gathered + kept * state[2]
        return maximum, total, gathered / total
