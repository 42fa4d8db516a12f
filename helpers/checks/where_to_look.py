"""Which section of which notebook helps with a mistake, and with an exercise if its mistake isn't in the tables.

Which hint of the lab helps stands in `hints.py`. A test holds the tables to the notebooks' headings.
"""

from types import MappingProxyType
from typing import NamedTuple


class Section(NamedTuple):
    """A section of a notebook."""

    notebook: str  # the file's name without its ending
    heading: str


_MASKED, _SCALED, _SCORES = "01_masked_softmax", "02_scaled_dot_product", "03_attention_scores"
_SEQ2SEQ, _ATTENTION, _TRANSLATION = "04_seq2seq", "05_seq2seq_attention", "06_translation"
_HEATMAPS, _HEADS = "07_alignment_heatmaps", "08_multi_head_attention"
_LANGUAGE, _LONG = "09_language_model", "10_long_contexts"
_SOFTMAX = Section(_MASKED, "1 · Softmax: from scores to weights")
_PADDING = Section(_MASKED, "2 · Padding: why a batch has holes")
_BEFORE_OR_AFTER = Section(_MASKED, "3 · Before, after, or zero: where the mask goes")
_EMPTY_ROW = Section(_MASKED, "4 · The empty row")
_INFINITY = Section(_MASKED, "B · Which number stands for −∞?")
_EMPTY_GRADIENT = Section(_MASKED, "C · The empty row's gradient")
_WRITES = Section(_MASKED, "D · A mask that writes into its argument")
_WHOSE_TRUE = Section(_MASKED, "E · Whose True is it? A table of mask conventions")
_DOT_PRODUCT = Section(_SCALED, "1 · By hand: how large is a dot product?")
_DERIVATION = Section(_SCALED, "2 · The derivation")
_LARGE_SCORES = Section(_SCALED, "3 · What large scores do to a softmax")
_FOUR_SCORES = Section(_SCORES, "3 · Four scores")
_ALL_PAIRS = Section(_SCORES, "4 · All pairs at once")
_WIDTHS = Section(_SCORES, "Queries and keys of different width")
_NO_TANH = Section(_SCORES, "Without the tanh")
_DROPOUT = Section(_SCORES, "Why weights are dropped out")
_ENCODER_DECODER = Section(_SEQ2SEQ, "2 · An encoder and a decoder")
_SHIFTED = Section(_SEQ2SEQ, "3 · Teacher forcing, and the shifted input")
_TWO_ORDERS = Section(_ATTENTION, "1 · One step, two orders")
_STEP_AFTER_STEP = Section(_ATTENTION, "2 · Step after step")
_AS_CODE = Section(_ATTENTION, "3 · The same as code")
_WHAT_IS_RIGHT = Section(_TRANSLATION, "1 · What counts as right?")
_RARE_WORDS = Section(_TRANSLATION, "3 · Words that hardly ever come")
_TO_FRENCH = Section(_TRANSLATION, "4 · English to French, with attention and without")
_TO_CHINESE = Section(_TRANSLATION, "6 · English to Chinese")
_BY_HAND = Section(_HEATMAPS, "1 · By hand: how wrong is a heatmap?")
_TWO_WISHES = Section(_HEADS, "2 · By hand: one word, two wishes")
_HOW_TO_CUT = Section(_HEADS, "How to cut, and how not to")
_CAUSAL = Section(_HEADS, "5 · Causal masks")
_FOLDED = Section(_HEADS, "Heads folded into the batch")
_MASK_BY_MASK = Section(_HEADS, "The same as PyTorch's, mask by mask")
_WITHOUT_THEM = Section(_HEADS, "What happens without them?")
_WRITING = Section(_LANGUAGE, "5 · Writing")
_CACHE = Section(_LANGUAGE, "6 · The cache: compute nothing twice")
_KEPT = Section(_LONG, "3 · What has to be kept")
_ONLINE = Section(_LONG, "4 · A softmax that never sees all its scores")

# What means the same in every exercise.
OF_MISTAKES = MappingProxyType(
    {
        "softmax-over-queries": _SOFTMAX,
        "softmax-over-batch": _SOFTMAX,
        "softmax-over-everything": _SOFTMAX,
        "softmax-over-wrong-axis": _SOFTMAX,
        "no-softmax": _SOFTMAX,
        "no-exponential": _SOFTMAX,
        "overflow": _SOFTMAX,
        "one-maximum-for-all": _SOFTMAX,
        "scores-for-weights": _SOFTMAX,
        "attends-to-padding": _PADDING,
        "ignores-1d-lengths": _PADDING,
        "ignores-2d-lengths": _PADDING,
        "one-length-for-all": _PADDING,
        "mask-lacks-an-axis": _PADDING,
        "lengths-on-the-wrong-axis": _PADDING,
        "masks-queries": _PADDING,
        "padding-in-front": _PADDING,
        "off-by-one": _PADDING,
        "mask-after-softmax": _BEFORE_OR_AFTER,
        "masked-and-renormalised": _BEFORE_OR_AFTER,
        "masks-with-zero": _BEFORE_OR_AFTER,
        "unmasked-weights": _BEFORE_OR_AFTER,
        "finite-fill": _EMPTY_ROW,
        "empty-row-attends": _EMPTY_ROW,
        "empty-row-keeps-one": _EMPTY_ROW,
        "nan-empty-row": _EMPTY_ROW,
        "nan-empty-sequence": _EMPTY_ROW,
        "one-empty-row-empties-all": _EMPTY_ROW,
        "fill-not-low-enough": _INFINITY,
        "type-changed": _INFINITY,
        "fill-too-large-for-half-precision": _INFINITY,
        "nan-gradient": _EMPTY_GRADIENT,
        "writes-into-arguments": _WRITES,
        "writes-into-softmax-output": _WRITES,
        "masks-in-place": _WRITES,
        "inverted-mask": _WHOSE_TRUE,
        "not-boolean": _WHOSE_TRUE,
        "never-scales": _DERIVATION,
        "divides-by-d": _DERIVATION,
        "multiplies-by-root-d": _DERIVATION,
        "root-of-value-width": _DERIVATION,
        "root-of-key-count": _DERIVATION,
        "root-of-another-size": _DERIVATION,
        "scale-after-softmax": _LARGE_SCORES,
        "diagonal-only": _LARGE_SCORES,
        "transposes-wrong-axes": _ALL_PAIRS,
        "reshape-for-transpose": _ALL_PAIRS,
        "not-transposed": _ALL_PAIRS,
        "elementwise-product": _ALL_PAIRS,
        "queries-and-keys-swapped": _ALL_PAIRS,
        "pairs-in-step": _ALL_PAIRS,
        "mixes-pairs": _ALL_PAIRS,
        "pools-keys-for-values": _ALL_PAIRS,
        "cosine": Section(_SCORES, "1 · A query picks among things"),
        "W-on-the-wrong-side": _WIDTHS,
        "W-on-both-sides": _WIDTHS,
        "dropout-in-evaluation": _DROPOUT,
        "dropout-never": _DROPOUT,
        "dropout-fixed": _DROPOUT,
        "weights-after-dropout": _DROPOUT,
        "dropout-on-the-output": _DROPOUT,
        "dropout-before-the-softmax": _DROPOUT,
        "dropout-not-scaled": _DROPOUT,
        "dropped-together": _DROPOUT,
        "share-kept-for-dropped": _DROPOUT,
        "no-teacher-forcing": _SHIFTED,
        "attends-with-the-new-state": _TWO_ORDERS,
        "context-of-the-wrong-state": _TWO_ORDERS,
        "context-left-out": _TWO_ORDERS,
        "old-state-returned": _STEP_AFTER_STEP,
        "state-left-out": _STEP_AFTER_STEP,
        "concatenated-in-the-other-order": _AS_CODE,
        "unk-dropped": _RARE_WORDS,
        "heads-mixed": _HOW_TO_CUT,
        "columns-dealt-out": _HOW_TO_CUT,
        "one-step-ahead": _CAUSAL,
    }
)

# What means something else elsewhere, or is explained better by another notebook than the exercise's.
OF_MISTAKES_IN: MappingProxyType[str, dict[Section, tuple[str, ...]]] = MappingProxyType(
    {
        "dot_product_scores": {
            _DERIVATION: ("always-scales", "scaled-reversed", "unscaled-by-default", "root-rounded"),
            _DOT_PRODUCT: (
                *("transposes-wrong-axes", "reshape-for-transpose", "elementwise-product", "cosine"),
                "queries-and-keys-swapped",
            ),
            _SOFTMAX: ("softmax-inside",),
        },
        "scaled_dot_product_attention": {_SOFTMAX: ("pools-keys-for-values",)},
        "BilinearScore": {_ALL_PAIRS: ("one-sequence-for-all",), _SOFTMAX: ("softmax-inside",)},
        "AdditiveScore": {
            _NO_TANH: ("no-tanh",),
            _ALL_PAIRS: ("one-sequence-for-all",),
            _SOFTMAX: ("softmax-inside",),
        },
        "Seq2SeqModel": {_SHIFTED: ("shifts-again", "decoder-reads-the-source", "peeks-at-the-future")},
        "sequence_cross_entropy": {
            _TO_FRENCH: ("divides-by-padded-length", "padding-counted", "zeroes-the-logits", "mean-of-means"),
        },
        "greedy_decode": {
            _SHIFTED: ("teacher-forcing", "feeds-the-start-token", "first-step-again", "token-read-late")
        },
        "get_context_vector": {
            _ALL_PAIRS: ("one-sequence-for-all", "context-over-wrong-axis"),
            _WIDTHS: ("W-on-the-query",),
            _FOUR_SCORES: ("W-unused", "bias", "scores-scaled"),
            _SOFTMAX: ("softmax-over-singleton",),
        },
        "decoding": {
            _TWO_ORDERS: ("context-added", "fixed-context"),
            _SHIFTED: ("same-token-every-step", "steps-of-the-source"),
            _ENCODER_DECODER: ("forward-starts-elsewhere",),
        },
        "LuongDecoder": {
            _AS_CODE: ("no-tanh", "state-or-context-for-h̃"),
            _STEP_AFTER_STEP: ("feeds-h̃-back",),
            _FOUR_SCORES: ("W-unused", "W-on-the-query", "bias", "scores-scaled"),
        },
        "encode_batch": {
            _RARE_WORDS: ("another-special-token", "splits-by-itself", "counts-words", "ids-by-heart"),
        },
        "BahdanauDecoder": {_FOUR_SCORES: ("arguments-of-score-swapped", "scores-scaled")},
        "translate": {
            _STEP_AFTER_STEP: ("state-not-carried",),
            _ENCODER_DECODER: ("decoder-not-started",),
            _SHIFTED: ("feeds-the-start-token", "another-start", "start-in-the-result"),
            _DROPOUT: ("decodes-in-training-mode",),
            _PADDING: ("padding-columns-kept", "columns-counted-otherwise"),
            _RARE_WORDS: ("ids-by-heart", "in-the-source-language"),
        },
        "bleu": {
            _TO_CHINESE: ("characters", "another-tokenizer", "other-settings"),
        },
        "MultiHeadAttention": {
            _TWO_WISHES: ("scaled-by-embed-dim", "scaled-by-the-heads"),
            _FOLDED: ("heads-in-the-batch", "sequences-taken-for-heads", "one-mask-for-all"),
            _MASK_BY_MASK: ("weights-averaged", "three-axes-only", "mask-added"),
            Section(_HEADS, "8 · A Transformer that translates"): ("self-attention-only", "key-and-value-swapped"),
            _ALL_PAIRS: ("one-sequence-for-all",),
        },
        "TransformerBlock": {
            _WITHOUT_THEM: ("no-residual", "no-norm"),
            _CAUSAL: ("mask-ignored",),
        },
        "cached_attention": {
            _CAUSAL: ("new-tokens-unmasked", "itself-unseen"),
        },
        "generate": {
            _CACHE: (
                *("whole-sequence-again", "cache-unused", "cache-not-handed-on", "first-cache-for-ever"),
                *("last-token-fed-twice", "prompt-fed-one-by-one", "rest-of-the-prompt-unread"),
            ),
        },
        "rotate": {
            Section(_LONG, "B · The two ways to pair columns"): ("halves-for-neighbours", "pairs-taken-apart"),
            Section(_LONG, "A · Why the base is 10,000, and what a larger one does"): ("base-ignored",),
        },
    }
)

OF_EXERCISES = MappingProxyType(
    {
        "length_mask": _PADDING,
        "masked_softmax": _BEFORE_OR_AFTER,
        "breaking_input": _INFINITY,
        "masked_mean": _PADDING,
        "dot_product_scores": _DOT_PRODUCT,
        "softmax_jacobian": _LARGE_SCORES,
        "score_variance": _DERIVATION,
        "gradient_norms": Section(_SCALED, "5 · The gradient experiment"),
        "scaled_dot_product_attention": _DERIVATION,
        "BilinearScore": _FOUR_SCORES,
        "AdditiveScore": _FOUR_SCORES,
        "AttentionPooling": Section(_SCORES, "6 · The layer around the score"),
        "kernel_regression": Section(_SCORES, "2 · Compare by distance: an average from 1964"),
        "shift_right": _SHIFTED,
        "Seq2SeqModel": _ENCODER_DECODER,
        "sequence_cross_entropy": _SHIFTED,
        "greedy_decode": _ENCODER_DECODER,
        "get_context_vector": _AS_CODE,
        "decoding": _STEP_AFTER_STEP,
        "get_next_token": _AS_CODE,
        "LuongDecoder": _TWO_ORDERS,
        "encode_batch": _PADDING,
        "BahdanauDecoder": _TWO_ORDERS,
        "translate": _TO_FRENCH,
        "bleu": _WHAT_IS_RIGHT,
        "plot_attention": _BY_HAND,
        "hard_alignment": _BY_HAND,
        "alignment_error_rate": _BY_HAND,
        "ablate_source": Section(_HEATMAPS, "7 · Does it matter where the model looks?"),
        "split_heads": _HOW_TO_CUT,
        "merge_heads": _HOW_TO_CUT,
        "causal_mask": _CAUSAL,
        "MultiHeadAttention": Section(_HEADS, "4 · One layer, in a few lines"),
        "sinusoidal_positions": Section(_HEADS, "7 · Attention doesn't know the order"),
        "TransformerBlock": Section(_HEADS, "6 · The block: residual, norm, feed-forward"),
        "next_token_targets": Section(_LANGUAGE, "2 · The text is its own answer"),
        "cached_attention": _CACHE,
        "sample_next": _WRITING,
        "generate": _WRITING,
        "perplexity": Section(_LANGUAGE, "4 · Perplexity: how surprised is it?"),
        "rotate": Section(_LONG, "1 · Where a word stands: turn it"),
        "grouped_query_attention": _KEPT,
        "online_step": _ONLINE,
        "attend_in_blocks": _ONLINE,
        "sliding_window_mask": Section(_LONG, "5 · A window, and the word that must not fall out"),
        "cache_bytes": _KEPT,
    }
)


def section_for(exercise: str, misconceptions: list[str]) -> Section | None:
    """The section for the first of the misconceptions that has one, else the exercise's; None if there is none."""
    here = {each: section for section, ids in OF_MISTAKES_IN.get(exercise, {}).items() for each in ids}
    known = {**OF_MISTAKES, **here}
    return next((known[each] for each in misconceptions if each in known), OF_EXERCISES.get(exercise))
