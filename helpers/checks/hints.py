"""Which hint of an exercise's text helps with which mistake. A test holds the titles to the labs' hints.

A title is what stands in the lab on the hint's fold. Where an exercise has one hint only, that is often just "Hint".
"""

from types import MappingProxyType

HINTS: MappingProxyType[str, dict[str, tuple[str, ...]]] = MappingProxyType(
    {
        # Lab 1
        "length_mask": {
            "Hint 1: no loop needed": ("off-by-one", "padding-in-front", "forgets-max-len", "one-length-for-all"),
            "Hint 2: both shapes at once": (
                "one-dimensional-lengths-only",
                "lengths-along-the-steps",
                "axis-left-over",
            ),
        },
        "masked_softmax": {
            "Hint 1: where to mask": (
                *("attends-to-padding", "mask-after-softmax", "masked-and-renormalised", "masks-with-zero"),
                *("finite-fill", "fill-not-low-enough"),
            ),
            "Hint 2: lengths of shape (B,)": (
                *("mask-lacks-an-axis", "lengths-on-the-wrong-axis", "masks-queries", "ignores-1d-lengths"),
                "one-length-for-all",
            ),
            "Hint 3: the empty row": (
                *("empty-row-attends", "empty-row-keeps-one", "one-empty-row-empties-all", "nan-empty-row"),
                "nan-gradient",
            ),
        },
        "breaking_input": {"Hint: version 2": ("no-padding", "ordinary-padding")},
        "masked_mean": {
            "Hint": ("divides-by-padded-length", "divides-by-longest", "nan-empty-sequence", "nan-gradient"),
        },
        # Lab 2
        "dot_product_scores": {
            "Hint 1: all pairs at once": (
                *("transposes-wrong-axes", "elementwise-product", "queries-and-keys-swapped"),
                "one-sequence-for-all",
            ),
            "Hint 2: transpose or reshape?": ("reshape-for-transpose",),
        },
        "softmax_jacobian": {
            "Hint 1: the derivative": ("diagonal-missing", "plus-for-minus", "all-signs-reversed"),
            "Hint 2: both cases as one matrix": (
                *("diagonal-only", "inner-product", "one-vector-only", "one-number-of-axes-only"),
            ),
            "Hint 3: how to check yourself": ("rows-do-not-sum-to-0", "softmax-twice", "with-respect-to-weights"),
        },
        "score_variance": {
            "Hint": ("variance-of-entries", "mean-over-d", "sums-over-trials", "mean-not-variance", "shared-draw"),
        },
        "gradient_norms": {
            "Hint 1: all draws at once": ("softmax-over-trials", "shared-draw", "another-number-of-keys"),
            "Hint 2: the mean of norms": (
                "norm-of-mean",
                "one-norm-for-all",
                "root-mean-square",
                "largest-for-mean",
                "one-number-for-all-widths",
            ),
        },
        "scaled_dot_product_attention": {
            "Hint 1: the order of things": (
                *("never-scales", "scale-after-softmax", "mask-after-softmax", "unmasked-weights"),
                *("scores-for-weights", "pools-keys-for-values"),
            ),
            "Hint 2: the two shapes of lengths": ("lengths-on-the-wrong-axis",),
        },
        # Lab 3
        "BilinearScore": {
            "Hint 1: which Linear?": ("W-on-the-wrong-side", "W-on-both-sides"),
            "Hint 2: all pairs at once": (
                "pairs-in-step",
                "not-transposed",
                "scores-scaled",
                "queries-and-keys-swapped",
            ),
        },
        "AdditiveScore": {
            "Hint 1: the shapes": ("pairs-in-step", "mixes-pairs", "queries-and-keys-swapped"),
            "Hint 2: from pairs to a table": ("axis-left-over", "axis-lost", "w_v-left-out"),
        },
        "AttentionPooling": {
            "Hint 1: the mask": ("lengths-on-the-wrong-axis", "masks-in-place"),
            "Hint 2: dropout": ("dropout-in-evaluation", "dropout-never", "dropout-fixed", "dropout-not-scaled"),
            "Hint 3: before and after": ("weights-after-dropout", "dropout-on-the-output"),
        },
        "kernel_regression": {
            "Hint 1: all distances at once": ("pairs-in-step", "axis-left-over"),
            "Hint 2: far away": ("underflow",),
        },
        # Lab 4
        "shift_right": {
            "Hint": (
                "drops-first-token",
                "nothing-dropped",
                "start-missing",
                "start-at-the-end",
                "overwritten-on-the-way",
            )
        },
        "Seq2SeqModel": {
            "Hint 1: what goes into a GRU, and what comes out": (
                *("outputs-for-the-state", "decoder-not-started", "not-the-last-state", "last-step-only"),
            ),
            "Hint 2: which axis is time?": ("time-major",),
        },
        "sequence_cross_entropy": {
            "Hint 1: costs first": ("mean-of-means", "softmax-first", "sum-for-mean"),
            "Hint 2: the choice": ("padding-counted", "zeroes-the-logits", "divides-by-padded-length", "eos-ignored"),
        },
        "greedy_decode": {
            "Hint 1: two ways": ("state-not-carried", "feeds-the-start-token", "first-step-again", "token-read-late"),
            "Hint 2: mode and gradients": (
                *("mode-changed", "decodes-in-training-mode", "keeps-a-graph", "gradients-off-for-all"),
            ),
        },
        # Lab 5
        "get_context_vector": {
            "Hint 1: which axis?": ("softmax-over-singleton", "softmax-over-batch"),
            "Hint 2: the context": ("context-over-wrong-axis", "mean-twice", "axis-lost"),
            "Hint 3: the mask": ("attends-to-padding", "mask-after-softmax", "fill-not-low-enough"),
        },
        "decoding": {
            "Hint 1: one step": ("context-added", "concatenated-in-the-other-order", "fixed-context"),
            "Hint 2: all steps": ("context-once", "state-not-carried", "same-token-every-step"),
        },
        "get_next_token": {"Hint": ("axis-left-over", "no-linear-layer", "logits-for-tokens", "bias-left-out")},
        "LuongDecoder": {
            "Hint 1: the scores": ("last-state-only", "W-unused", "queries-and-keys-swapped"),
            "Hint 2: the mask": ("attends-to-padding",),
        },
        # Lab 6
        "encode_batch": {"Hint": ("eos-missing", "eos-after-the-padding", "eos-not-counted", "padding-counted")},
        "BahdanauDecoder": {
            "Hint 1: shapes": ("other-shapes", "another-context"),
            "Hint 2: the mask": ("attends-to-padding", "mask-after-softmax"),
        },
        "translate": {
            "Hint 1: the loop": (
                *("eos-in-the-result", "rows-after-eos-kept", "rows-shifted", "goes-on-after-eos", "never-stops"),
                "one-more-or-less",
            ),
            "Hint 2: no rows": ("fails-on-an-empty-translation",),
        },
        "bleu": {"Hint": ("references-not-transposed", "one-reference-of-several", "as-many-references-for-all")},
        # Lab 7
        "plot_attention": {
            "Hint 1: which way up?": ("transposed", "origin-at-the-bottom"),
            "Hint 2: labels": ("labels-misplaced", "labels-skipped", "labels-missing", "labels-in-reverse"),
            "Hint 3: colours": ("scale-per-picture",),
        },
        "hard_alignment": {
            "Hint 1: which axis?": ("argmax-over-targets", "one-link-in-all"),
            "Hint 2: from a mask to pairs": ("tensors-in-pairs", "threshold-ignored", "above-only", "not-a-set"),
        },
        "alignment_error_rate": {
            "Hint 1: sets": ("nothing-refused", "wrong-sets-refused", "writes-into-arguments"),
            "Hint 2: why two intersections?": (
                *("one-minus-f1", "possible-counted-as-sure", "precision-only", "mean-of-precision-and-recall"),
            ),
        },
        "ablate_source": {
            "Hint: the row without anything": ("nan-row", "bare-row", "all-rows-uniform", "nearly-all-taken-for-all"),
        },
        # Lab 8
        "split_heads": {
            "Hint 1: which axis is cut?": ("heads-mixed", "heads-not-moved", "wrong-axes-swapped"),
        },
        "merge_heads": {
            "Hint 2: the way back": ("heads-mixed", "view-of-a-transpose", "heads-one-after-another"),
        },
        "causal_mask": {"Hint": ("diagonal-masked", "upper-triangle", "one-step-ahead")},
        "MultiHeadAttention": {
            "Hint 1: all heads at once": ("heads-mixed", "heads-in-the-batch"),
            "Hint 2: the mask": ("sequences-taken-for-heads", "one-mask-for-all", "three-axes-only"),
            "Hint 3: two sets of weights": (
                *("weights-after-dropout", "dropout-on-the-output", "dropout-in-evaluation", "dropout-never"),
            ),
        },
        "sinusoidal_positions": {
            "Hint 1: all angles at once": ("multiplied", "own-exponents", "axes-swapped", "power-the-other-way-round"),
            "Hint 2: in turns": ("in-halves", "sines-only"),
        },
        "TransformerBlock": {"Hint": ("weights-for-output",)},
        # Lab 9
        "next_token_targets": {
            "Hint": (
                *("targets-unshifted", "shifted-the-other-way", "as-long-as-ids", "valid-from-the-inputs"),
                "rows-cut-for-columns",
            ),
        },
        "cached_attention": {
            "Hint 1: first make it long": (
                *("joined-along-another-axis", "new-keys-in-front", "cache-not-extended", "blind-to-the-cache"),
                *("values-not-cached", "keys-not-cached"),
            ),
            "Hint 2: which mask?": (
                *("mask-from-the-first-key", "new-tokens-unmasked", "cache-masked", "itself-unseen", "one-step-ahead"),
            ),
            "Hint 3: half precision": ("fill-too-large-for-half-precision",),
        },
        "sample_next": {
            "Hint 1: drawing": ("one-draw-for-the-batch", "axis-left-over", "ignores-generator"),
            "Hint 2: the likeliest k": ("others-set-to-zero", "place-among-the-kept", "top-k-of-the-batch"),
            "Hint 3: rows without a tie-break": ("ties-all-kept",),
        },
        "generate": {
            "Hint 1: what is fed when": (
                *("whole-sequence-again", "logits-of-another-position", "last-token-fed-twice"),
                *("prompt-fed-one-by-one", "rest-of-the-prompt-unread"),
            ),
            "Hint 2: gradients": ("keeps-a-graph", "gradients-off-for-all"),
        },
        "perplexity": {"Hint": ("padding-counted", "mean-of-perplexities", "softmax-first", "mean-of-means")},
        # Lab 10
        "rotate": {
            "Hint 1: all angles at once": ("turned-along-the-heads", "turned-along-the-batch", "one-rate-for-all"),
            "Hint 2: out and back": ("pairs-taken-apart", "turned-in-place", "halves-for-neighbours"),
            "Hint 3: half precision": ("angles-in-half-precision", "type-changed"),
        },
        "grouped_query_attention": {
            "Hint: two ways to repeat": ("groups-in-turn", "repeated-along-another-axis", "keys-not-shared-out"),
        },
        "online_step": {
            "Hint 1: the first block": ("axes-of-the-state-lost", "not-per-query"),
            "Hint 2: what belongs to the old scale?": (
                *("total-not-rescaled", "output-not-rescaled", "old-output-counted-once", "blocks-averaged"),
            ),
            "Hint 3: the factor": ("factor-upside-down",),
            "Hint 4: nothing but −∞": ("nan-after-a-mask", "masked-keys-count", "maximum-of-nothing"),
        },
        "attend_in_blocks": {
            "Hint": ("last-block-dropped", "whole-matrix-in-one-step", "blocks-of-another-size", "first-block-only"),
        },
        "sliding_window_mask": {"Hint": ("window-too-long", "window-too-short", "looks-ahead", "window-ahead")},
        "cache_bytes": {
            "Hint": ("keys-or-values-alone", "groups-left-out", "layers-left-out", "width-left-out", "length-squared"),
        },
    }
)


def hint_for(exercise: str, misconceptions: list[str]) -> str | None:
    """The title of the hint for the first of the misconceptions that has one; None where no hint fits."""
    known = {each: title for title, ids in HINTS.get(exercise, {}).items() for each in ids}
    return next((known[each] for each in misconceptions if each in known), None)
