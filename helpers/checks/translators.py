"""The translator that lab 6's checks hand to an answer: what it writes, and where it looks, stands in tables.

Like the models in models.py it is built from plain arguments and given its weights by name, so that another process can
build the same one.
"""

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from helpers.attention import masked_softmax
from helpers.checks.models import FixedDropout

LONGEST_SOURCE = 80  # positions that the tables have scores for
_MOST_STEPS = 120  # an answer that asks for ever more tokens is told so, rather than waited for


class ScriptedTranslator(nn.Module):
    """Lab 6's interface over tables: at step n, having read the token t, `logits[n, t]` and `scores[n, t]`.

    So an answer that loses the state, or feeds another token, is given other tokens and other weights. The source is
    padded to a multiple of four tokens. In training mode there is dropout, on the encoder's outputs and on the logits.
    """

    def __init__(self, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, steps: int):
        super().__init__()
        self.built_with = (source_tokenizer, target_tokenizer, steps)
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        vocab_size = target_tokenizer.get_vocab_size()
        self.keys = nn.Embedding(source_tokenizer.get_vocab_size(), 2)
        self.logits = nn.Parameter(torch.zeros(steps, vocab_size, vocab_size))
        self.scores = nn.Parameter(torch.zeros(steps, vocab_size, LONGEST_SOURCE))
        self.dropout = FixedDropout()
        self._asked = 0

    def encode(self, sentence: str) -> tuple[Tensor, Tensor, Tensor]:
        """The source as the decoder sees it: (1, L, 2), the first state (1, 1, 1), and the real length (1,)."""
        eos, pad = (self.source_tokenizer.token_to_id(name) for name in ("<eos>", "<pad>"))
        ids = [*self.source_tokenizer.encode(sentence).ids, eos]
        padded = ids + [pad] * (-len(ids) % 4)
        return self.dropout(self.keys(torch.tensor([padded]))), torch.ones(1, 1, 1), torch.tensor([len(ids)])

    def step(
        self, token: Tensor, state: Tensor, encoder_out: Tensor, valid_lens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One token (1, 1) more: logits (1, 1, vocabulary), the new state and the weights (1, L).

        Raises:
            RuntimeError: if it has been asked for far more tokens than any case wants.
        """
        self._asked += 1
        if self._asked > _MOST_STEPS:
            raise RuntimeError(f"the model has been asked for {self._asked} tokens, and there is no end to it")
        step, last = (int(state[0, 0, 0]) - 1) % len(self.logits), int(token[0, 0])
        logits = self.dropout(self.logits[step, last])
        scores = encoder_out.sum(-1) + self.scores[step, last, : encoder_out.shape[1]]  # (1, L)
        weights = masked_softmax(scores.unsqueeze(1), valid_lens).squeeze(1)
        return logits.reshape(1, 1, -1), state + 1, weights
