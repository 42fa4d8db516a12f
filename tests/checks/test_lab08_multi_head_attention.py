"""What is special to lab 8: the course's own functions and layers pass, and a block waits for a blank attention."""

import pytest
import torch
from torch import nn

from helpers import attention, transformer
from helpers.checks import CheckFailed, check
from tools.hidden_tests import cell_source


@pytest.mark.parametrize(
    "own",
    [
        attention.split_heads,
        attention.merge_heads,
        attention.causal_mask,
        attention.MultiHeadAttention,
        transformer.sinusoidal_positions,
        transformer.TransformerBlock,
    ],
)
def test_the_courses_own_version_passes(own):
    check(own, seed=0)


def test_a_block_is_said_to_wait_for_an_attention_that_is_blank(capsys):
    class MultiHeadAttention(nn.Module):
        def __init__(self, embed_dim, num_heads, dropout=0.0):
            super().__init__()
            raise NotImplementedError()

    class TransformerBlock(nn.Module):
        def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
            super().__init__()
            self.attention = MultiHeadAttention(embed_dim, num_heads, dropout)

    names = {
        "MultiHeadAttention": MultiHeadAttention,
        "TransformerBlock": TransformerBlock,
        "torch": torch,
        "check": check,
    }
    with pytest.raises(CheckFailed):
        exec(cell_source("lab08_multi_head_attention", "test_TransformerBlock"), names)
    assert "waits for MultiHeadAttention" in capsys.readouterr().out


def test_an_attention_waits_for_a_split_that_is_blank():
    def split_heads(x, num_heads):
        raise NotImplementedError()

    class MultiHeadAttention(attention.MultiHeadAttention):
        def forward(self, query, key, value, mask=None):
            return split_heads(self.W_q(query), self.num_heads)

    with pytest.raises(CheckFailed, match="MultiHeadAttention waits for split_heads"):
        check(MultiHeadAttention)
