"""Ids that mistakes had before: graded notebooks keep them in their records, and reports count those with the new ones.

An id that goes for another gets a line here. It may have meant one thing in one exercise and another in the next, so
each exercise has its own.
"""

RENAMED = {
    "length_mask": {
        "extra-axis": "axis-left-over",
        "writes-into-lengths": "writes-into-arguments",
        "empty-keeps-one": "empty-row-keeps-one",
    },
    "masked_softmax": {
        "ignores-lengths": "attends-to-padding",
        "scaled-again": "scores-scaled",
        "writes-into-lengths": "writes-into-arguments",
        "writes-into-scores": "writes-into-arguments",
        "lengths-repeated-wrong-axis": "lengths-on-the-wrong-axis",
        "zero-fill": "masks-with-zero",
    },
    "masked_mean": {
        "axis-kept": "axis-left-over",
        "writes-into-lengths": "writes-into-arguments",
        "writes-into-values": "writes-into-arguments",
        "sum-instead-of-mean": "sum-for-mean",
    },
    "dot_product_scores": {
        "batch-axis-lost": "axis-lost",
    },
    "softmax_jacobian": {
        "writes-into-weights": "writes-into-arguments",
        "weights-taken-for-scores": "softmax-twice",
    },
    "score_variance": {
        "sum-not-mean": "sum-for-mean",
    },
    "gradient_norms": {
        "writes-into-dims": "writes-into-arguments",
        "sum-over-trials": "sum-for-mean",
    },
    "scaled_dot_product_attention": {
        "ignores-lengths": "attends-to-padding",
        "unmasked-weights-returned": "unmasked-weights",
        "weights-over-wrong-axis": "softmax-over-wrong-axis",
    },
    "BilinearScore": {
        "scaled": "scores-scaled",
        "bent": "activation-added",
    },
    "AdditiveScore": {
        "scaled": "scores-scaled",
    },
    "AttentionPooling": {
        "ignores-lengths": "attends-to-padding",
        "score-rescaled": "scores-scaled",
        "kept-after-dropout": "weights-after-dropout",
        "unmasked-weights-kept": "unmasked-weights",
        "scores-kept": "scores-for-weights",
        "weights-over-wrong-axis": "softmax-over-wrong-axis",
    },
    "kernel_regression": {
        "pools-x-for-y": "pools-keys-for-values",
    },
    "shift_right": {
        "writes-into-targets": "writes-into-arguments",
    },
    "Seq2SeqModel": {
        "keeps-state-between-calls": "answers-from-memory",
        "writes-into-tokens": "writes-into-arguments",
        "decoder-state-not-carried": "state-not-carried",
        "more-than-logits": "returns-a-pair",
        "one-string-for-all": "one-sequence-for-all",
    },
    "sequence_cross_entropy": {
        "wrong-axis": "softmax-over-wrong-axis",
    },
    "greedy_decode": {
        "wrong-axis": "argmax-over-wrong-axis",
        "writes-into-the-source": "writes-into-arguments",
        "restarts-the-state": "state-not-carried",
        "not-token-ids": "logits-for-tokens",
        "one-string-for-all": "one-sequence-for-all",
    },
    "get_context_vector": {
        "remembers": "answers-from-memory",
        "attention-bias": "bias",
        "scaled": "scores-scaled",
        "mean-for-sum": "mean-twice",
        "one-state-for-all": "one-sequence-for-all",
        "W-on-the-state": "W-on-the-query",
    },
    "decoding": {
        "remembers": "answers-from-memory",
        "no-context": "context-left-out",
        "feeds-its-own-predictions": "no-teacher-forcing",
        "softmax-in-forward": "softmax-inside",
    },
    "get_next_token": {
        "remembers": "answers-from-memory",
        "argmax-over-batch": "argmax-over-wrong-axis",
        "batch-by-one": "axis-left-over",
        "batch-axis-lost": "axis-lost",
        "changes-the-model": "mode-changed",
        "context-of-the-new-state": "attends-with-the-new-state",
        "samples": "sampling",
        "argmax-of-the-state": "no-linear-layer",
    },
    "LuongDecoder": {
        "remembers": "answers-from-memory",
        "biases": "bias",
        "scaled": "scores-scaled",
        "weights-transposed": "queries-and-keys-swapped",
        "W_a-on-the-queries": "W-on-the-query",
        "W_a-unused": "W-unused",
    },
    "encode_batch": {
        "changes-the-arguments": "writes-into-arguments",
        "no-tensors": "not-a-pair",
        "unknown-words-dropped": "unk-dropped",
        "padded-in-front": "padding-in-front",
    },
    "BahdanauDecoder": {
        "remembers-calls": "answers-from-memory",
        "padding-attended": "attends-to-padding",
        "context-left-out": "reads-something-else",
        "state-not-carried": "state-left-out",
        "graph-cut": "detached-gradient",
        "mask-inverted": "inverted-mask",
        "masked-after-the-softmax": "mask-after-softmax",
        "last-token-masked": "off-by-one",
        "previous-state-returned": "old-state-returned",
        "one-sentence-for-all": "one-sequence-for-all",
        "queries-and-keys-swapped": "arguments-of-score-swapped",
        "softmax-over-the-wrong-axis": "softmax-over-wrong-axis",
    },
    "translate": {
        "padding-attended": "attends-to-padding",
        "dropout-left-on": "decodes-in-training-mode",
        "restarts-the-state": "state-not-carried",
        "starts-from-nothing": "decoder-not-started",
    },
    "bleu": {
        "changes-the-lists": "writes-into-arguments",
        "not-a-number": "not-a-float",
    },
    "hard_alignment": {
        "writes-into-weights": "writes-into-arguments",
        "counts-from-1": "positions-from-1",
    },
    "alignment_error_rate": {
        "writes-into-sets": "writes-into-arguments",
    },
    "ablate_source": {
        "input-changed": "writes-into-arguments",
        "softmax-again": "softmax-twice",
    },
    "split_heads": {
        "view-without-transpose": "heads-mixed",
        "no-tensor": "not-a-tensor",
    },
    "merge_heads": {
        "reshape-without-transpose": "heads-mixed",
    },
    "causal_mask": {
        "inverted": "inverted-mask",
    },
    "MultiHeadAttention": {
        "root-missing": "divides-by-d",
        "not-scaled": "never-scales",
        "returned-after-dropout": "weights-after-dropout",
        "unmasked-weights-returned": "unmasked-weights",
        "returns-the-output-only": "not-a-pair",
        "returned-the-wrong-way-round": "order-of-the-pair",
        "softmax-over-the-wrong-axis": "softmax-over-wrong-axis",
    },
}


def current_id(exercise: str, misconception: str | None) -> str | None:
    """The id that an exercise's misconception has now; None stays None."""
    return misconception and RENAMED.get(exercise, {}).get(misconception, misconception)
