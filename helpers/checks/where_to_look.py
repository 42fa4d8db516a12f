"""Which section of which notebook helps with a mistake, and with an exercise if its mistake isn't in the table.

Where neither is here, a report names the lab's notebook. A test holds the table to the notebooks' headings.
"""

from types import MappingProxyType
from typing import NamedTuple


class Section(NamedTuple):
    """A section of a notebook."""

    notebook: str  # the file's name without its ending
    heading: str


_MASKED, _SCALED, _SCORES, _SEQ2SEQ = (
    "01_masked_softmax",
    "02_scaled_dot_product",
    "03_attention_scores",
    "04_seq2seq",
)
_SOFTMAX = Section(_MASKED, "1 · Softmax: from scores to weights")
_PADDING = Section(_MASKED, "2 · Padding: why a batch has holes")
_BEFORE_OR_AFTER = Section(_MASKED, "3 · Before, after, or zero: where the mask goes")
_EMPTY_ROW = Section(_MASKED, "4 · The empty row")
_INFINITY = Section(_MASKED, "B · Which number stands for −∞?")
_EMPTY_GRADIENT = Section(_MASKED, "C · The empty row's gradient")
_WRITES = Section(_MASKED, "D · A mask that writes into its argument")
_WHOSE_TRUE = Section(_MASKED, "E · Whose True is it? A table of mask conventions")
_DERIVATION = Section(_SCALED, "2 · The derivation")
_LARGE_SCORES = Section(_SCALED, "3 · What large scores do to a softmax")
_FOUR_SCORES = Section(_SCORES, "3 · Four scores")
_ALL_PAIRS = Section(_SCORES, "4 · All pairs at once")
_DROPOUT = Section(_SCORES, "8 · Why weights are dropped out")

OF_MISTAKES = MappingProxyType(
    {
        "softmax-over-queries": _SOFTMAX,
        "softmax-over-batch": _SOFTMAX,
        "softmax-over-everything": _SOFTMAX,
        "softmax-over-wrong-axis": _SOFTMAX,
        "no-softmax": _SOFTMAX,
        "no-exponential": _SOFTMAX,
        "overflow": _SOFTMAX,
        "attends-to-padding": _PADDING,
        "ignores-1d-lengths": _PADDING,
        "ignores-2d-lengths": _PADDING,
        "one-length-for-all": _PADDING,
        "off-by-one": _PADDING,
        "mask-after-softmax": _BEFORE_OR_AFTER,
        "masked-and-renormalised": _BEFORE_OR_AFTER,
        "masks-with-zero": _BEFORE_OR_AFTER,
        "finite-fill": _EMPTY_ROW,
        "empty-row-attends": _EMPTY_ROW,
        "empty-row-keeps-one": _EMPTY_ROW,
        "nan-empty-row": _EMPTY_ROW,
        "one-empty-row-empties-all": _EMPTY_ROW,
        "fill-not-low-enough": _INFINITY,
        "type-changed": _INFINITY,
        "nan-gradient": _EMPTY_GRADIENT,
        "writes-into-arguments": _WRITES,
        "writes-into-softmax-output": _WRITES,
        "inverted-mask": _WHOSE_TRUE,
        "never-scales": _DERIVATION,
        "divides-by-d": _DERIVATION,
        "multiplies-by-root-d": _DERIVATION,
        "root-of-value-width": _DERIVATION,
        "scale-after-softmax": _LARGE_SCORES,
        "dropout-in-evaluation": _DROPOUT,
        "dropout-never": _DROPOUT,
        "dropout-fixed": _DROPOUT,
    }
)

OF_EXERCISES = MappingProxyType(
    {
        "length_mask": _PADDING,
        "masked_softmax": _BEFORE_OR_AFTER,
        "breaking_input": _INFINITY,
        "masked_mean": _PADDING,
        "dot_product_scores": Section(_SCALED, "1 · By hand: how large is a dot product?"),
        "softmax_jacobian": _LARGE_SCORES,
        "score_variance": _DERIVATION,
        "gradient_norms": Section(_SCALED, "5 · The gradient experiment"),
        "scaled_dot_product_attention": _DERIVATION,
        "BilinearScore": _FOUR_SCORES,
        "AdditiveScore": _FOUR_SCORES,
        "AttentionPooling": _ALL_PAIRS,
        "kernel_regression": Section(_SCORES, "2 · Compare by distance: an average from 1964"),
        "shift_right": Section(_SEQ2SEQ, "3 · Teacher forcing, and the shifted input"),
        "Seq2SeqModel": Section(_SEQ2SEQ, "2 · An encoder and a decoder"),
        "sequence_cross_entropy": Section(_SEQ2SEQ, "3 · Teacher forcing, and the shifted input"),
        "greedy_decode": Section(_SEQ2SEQ, "2 · An encoder and a decoder"),
    }
)


def section_for(exercise: str, misconceptions: list[str]) -> Section | None:
    """The section for the first of the misconceptions that has one, else the exercise's; None if it has none."""
    return next((OF_MISTAKES[each] for each in misconceptions if each in OF_MISTAKES), OF_EXERCISES.get(exercise))
