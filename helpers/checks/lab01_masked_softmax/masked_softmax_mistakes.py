"""The mistakes that people make in `masked_softmax`, each with the wrong implementations that show it."""

import math

import torch

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab01_masked_softmax.masked_softmax_wrong import (
    add_infinity,
    cannot_do_without_lengths,
    crash_on_one_axis,
    crash_on_two_axes,
    divide_by_nothing,
    divide_exps_in,
    divide_valid_exps,
    exps_over_all_keys,
    fill_with,
    ignore_lengths_of,
    keep_mask,
    low_fill_then_zero,
    mask_broadcast_as,
    mask_queries,
    naive_infinity,
    overwrite_lengths,
    overwrite_with,
    raw_scores_in_empty_rows,
    renormalise,
    repaired,
    repeat_on_the_wrong_axis,
    right,
    right_weights,
    shift_lengths,
    spoil_softmax_output,
    subtract_one_maximum,
    zeros_if_any_row_is_empty,
)
from helpers.checks.spoiling import remembering, stopping_at_64

MISTAKES = (
    mistakes.SOFTMAX_OVER_QUERIES.explained(
        "Your weights sum to 1 over the queries. Each *query* spreads its attention over the keys: which axis is that?",
        lambda scores, valid_lens=None: right(scores, keep_mask(scores, valid_lens).expand_as(scores), 1),
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), -torch.inf).softmax(1),
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), -1e9).softmax(1),
        lambda scores, valid_lens=None: scores.softmax(1) * keep_mask(scores, valid_lens),
        lambda scores, valid_lens=None: scores.softmax(1),
    ),
    mistakes.SOFTMAX_OVER_BATCH.explained(
        "Your weights sum to 1 over the sequences of the batch, so one sentence's attention depends on which other "
        "sentences happen to lie beside it. The softmax belongs within a row of scores.",
        lambda scores, valid_lens=None: right(scores, keep_mask(scores, valid_lens).expand_as(scores), 0),
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), -torch.inf).softmax(0),
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), -1e9).softmax(0),
    ),
    mistakes.SOFTMAX_OVER_EVERYTHING.explained(
        "All the weights of a sentence together sum to 1, so the queries compete with one another. "
        "Each query has a whole 1 of its own to give away.",
        lambda scores, valid_lens=None: right(
            scores.flatten(1), keep_mask(scores, valid_lens).expand_as(scores).flatten(1)
        ).reshape(scores.shape),
        lambda scores, valid_lens=None: right(
            scores.flatten(), keep_mask(scores, valid_lens).expand_as(scores).flatten()
        ).reshape(scores.shape),
    ),
    mistakes.NO_SOFTMAX.explained(
        "What comes back does not sum to 1, with or without lengths: the softmax itself is missing.",
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), 0.0),
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), -torch.inf),
        lambda scores, valid_lens=None: scores.exp() * keep_mask(scores, valid_lens),
        lambda scores, valid_lens=None: scores.log_softmax(-1),
    ),
    Misconception(
        "needs-lengths",
        "it can't do without lengths",
        "`valid_lens` may be None, and is unless the caller says otherwise: then every key counts. "
        "What does your first line do with None?",
        (
            cannot_do_without_lengths(AttributeError),
            cannot_do_without_lengths(TypeError),
            cannot_do_without_lengths(RuntimeError),
            cannot_do_without_lengths(UnboundLocalError),
            lambda scores, valid_lens: right(scores, keep_mask(scores, valid_lens)),
        ),
    ),
    mistakes.ATTENDS_TO_PADDING.row(
        ignore_lengths_of(1, 2),
    ),
    mistakes.INVERTED_MASK.explained(
        "Your weights lie on the padding, and the real keys get none. True means *keep*: which side do you fill?",
        lambda scores, valid_lens=None: (
            right(scores, keep_mask(scores, valid_lens))
            if valid_lens is None
            else right(scores, ~keep_mask(scores, valid_lens))
        ),
        lambda scores, valid_lens=None: (
            scores.softmax(-1)
            if valid_lens is None
            else scores.masked_fill(keep_mask(scores, valid_lens), -torch.inf).softmax(-1)
        ),
        lambda scores, valid_lens=None: (
            scores.softmax(-1)
            if valid_lens is None
            else scores.masked_fill(keep_mask(scores, valid_lens), -1e9).softmax(-1)
        ),
        lambda scores, valid_lens=None: right(scores, ~keep_mask(scores, valid_lens)),
    ),
    mistakes.MASK_AFTER_SOFTMAX.explained(
        "The padding has weight 0, but it had its share of the softmax before you took it away, "
        "so what is left sums to less than 1. The padding must be out *before* the softmax divides.",
        lambda scores, valid_lens=None: scores.softmax(-1) * keep_mask(scores, valid_lens),
        lambda scores, valid_lens=None: scores.softmax(-1).masked_fill(~keep_mask(scores, valid_lens), 0.0),
    ),
    Misconception(
        "masked-and-renormalised",
        "padding can crowd out the real keys before it is masked",
        "Taking the padding out of a finished softmax and dividing by what is left is right on paper. But the softmax "
        "has rounded the real weights already: beside loud padding they are 0, and can't be brought back. The padding "
        "must be out before any exponential is compared with another.",
        (
            renormalise(lambda total: total),
            renormalise(lambda total: total.clamp(min=1e-6)),
            renormalise(lambda total: total + 1e-9),
            renormalise(lambda total: total.masked_fill(total == 0, 1.0)),
            lambda scores, valid_lens=None: renormalise(lambda total: total)(scores, valid_lens).nan_to_num(0.0),
            exps_over_all_keys,
        ),
    ),
    Misconception(
        "mask-lacks-an-axis",
        "the mask's axes don't meet those of the scores",
        "A mask (batch, key) put against scores (batch, query, key) is lined up from the right: its batch axis meets "
        "the *queries* (or PyTorch refuses). And an axis added at the end makes the keys meet the queries. Write the "
        "two shapes one above the other: where does the 1 belong?",
        (
            *(mask_broadcast_as(*axis) for axis in ((), (2,), (0,))),
            *(repaired(mask_broadcast_as(*axis)) for axis in ((), (2,), (0,))),
            repaired(mask_broadcast_as(strict=True)),
        ),
    ),
    mistakes.MASKS_WITH_ZERO.explained(
        'A score of 0 is not "no attention": exp(0) is 1, more than any negative score gets. '
        "Which score has an exponential of exactly 0?",
        lambda scores, valid_lens=None: scores.masked_fill(~keep_mask(scores, valid_lens), 0.0).softmax(-1),
        lambda scores, valid_lens=None: (scores * keep_mask(scores, valid_lens)).softmax(-1),
        lambda scores, valid_lens=None: (
            scores.masked_fill(~keep_mask(scores, valid_lens), 0.0)
            .softmax(-1)
            .masked_fill(~keep_mask(scores, valid_lens), 0.0)
        ),
    ),
    mistakes.OFF_BY_ONE.row(shift_lengths(1), shift_lengths(-1), what="keys"),
    mistakes.LENGTHS_ON_THE_WRONG_AXIS.explained(
        "With one length a sequence, all queries of sequence 0 share the first length, all of sequence 1 the second. "
        "Yours alternate between the sequences: `repeat` lays whole copies end to end, which suits only a batch of "
        "one. Compare what `repeat` and `repeat_interleave` do to [1, 2].",
        repeat_on_the_wrong_axis,
    ),
    Misconception(
        "masks-queries",
        "the length cuts off queries instead of keys",
        "You blank out the *rows* beyond the length. The length says how many keys there are to attend to: "
        "that is the last axis, in every row.",
        (mask_queries,),
    ),
    mistakes.IGNORES_1D_LENGTHS.explained(
        "Lengths of shape (batch, query) work, but with one length a sequence nothing is masked. "
        "Every query of that sequence has this one length.",
        ignore_lengths_of(1),
        crash_on_one_axis,
    ),
    mistakes.IGNORES_2D_LENGTHS.explained(
        "With one length a sequence you are right. But each query may have a length of its own "
        "(a decoder that must not look ahead needs that): then `valid_lens` has shape (batch, query).",
        ignore_lengths_of(2),
        crash_on_two_axes,
    ),
    Misconception(
        "finite-fill",
        "a row of length 0 gets weights, as after a large finite fill",
        "exp(−1e9) is 0 *next to a larger score*. In a row with no valid key all scores are equally low, and the "
        "softmax makes them uniform: the query attends to padding. (And float16 ends at −65504: −1e6 does not fit.) "
        "If you gave such a row equal scores on purpose, its weights have still to be taken away.",
        (fill_with(-1e6), fill_with(-1e9), fill_with(-1e4), fill_with(None), fill_with(-1e20)),
    ),
    Misconception(
        "empty-row-attends",
        "a row of length 0 attends to its padding",
        "The row no longer divides by 0, but it still gives away a whole weight of 1, to padding. What should it give?",
        (raw_scores_in_empty_rows,),
    ),
    mistakes.EMPTY_ROW_KEEPS_ONE.explained(
        "Clamping the lengths avoids 0/0, but the query now gives its whole weight to the first key, which is padding. "
        "A row without a valid key gives nothing.",
        lambda scores, valid_lens=None: right(
            scores, keep_mask(scores, None if valid_lens is None else valid_lens.clamp(min=1))
        ),
    ),
    mistakes.SCORES_SCALED.explained(
        "The division by √d belongs to the scores (lab 2), and is done before they get here: a softmax takes them as "
        "they are. Your weights are too even.",
        lambda scores, valid_lens=None: right(scores / math.sqrt(scores.shape[-1]), keep_mask(scores, valid_lens)),
        lambda scores, valid_lens=None: right(scores / math.sqrt(scores.shape[-2]), keep_mask(scores, valid_lens)),
    ),
    Misconception(
        "no-exponential",
        "the scores are divided by their sum, without an exponential",
        "A softmax takes the exponential first: then every weight is positive, and only differences of scores count.",
        (
            lambda scores, valid_lens=None: (
                (scores * keep_mask(scores, valid_lens))
                / (scores * keep_mask(scores, valid_lens)).sum(-1, keepdim=True)
            ),
        ),
    ),
    Misconception(
        "one-empty-row-empties-all",
        "one empty row makes every row empty",
        "A batch may hold empty rows beside full ones. Look at each row by itself.",
        (
            zeros_if_any_row_is_empty,
            lambda scores, valid_lens=None: zeros_if_any_row_is_empty(scores, valid_lens).detach(),
        ),
    ),
    mistakes.FILL_NOT_LOW_ENOUGH.row(
        low_fill_then_zero(-30.0),
        low_fill_then_zero(-100.0),
        low_fill_then_zero(-1000.0),
        low_fill_then_zero(-1e4),
    ),
    mistakes.CAUSAL_AS_WELL.row(
        *(
            lambda scores, valid_lens=None, fill=fill: right_weights(
                scores.masked_fill(torch.ones(scores.shape[1:], dtype=torch.bool).triu(1), fill), valid_lens
            )
            for fill in (-torch.inf, -1e9)
        ),
        key="key",
    ),
    mistakes.AXIS_LOST.row(
        lambda scores, valid_lens=None: right_weights(scores, valid_lens).squeeze(),
        *(
            lambda scores, valid_lens=None, axis=axis: right_weights(scores, valid_lens).squeeze(axis)
            for axis in (0, 1, 2)
        ),
    ),
    Misconception(
        "nan-empty-row",
        "a row of length 0 becomes NaN",
        "In a row of length 0 no exponential is left, and the softmax divides 0 by 0. "
        "A query with nothing to attend to should get all zeros, not NaN.",
        (naive_infinity, add_infinity, divide_by_nothing),
    ),
    mistakes.ONE_LENGTH_FOR_ALL.row(
        lambda scores, valid_lens=None: right(
            scores, keep_mask(scores, None if valid_lens is None else valid_lens[:1].expand_as(valid_lens))
        ),
        lambda scores, valid_lens=None: right(
            scores, keep_mask(scores, None if valid_lens is None else valid_lens.max().expand_as(valid_lens))
        ),
        sequence="sequence",
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The weights are right, but the caller's scores or lengths are no longer what they were, and the next layer "
        "gets wrong ones. Which of your operations writes in place (a trailing underscore, or `x[...] = `)?",
        overwrite_lengths,
        overwrite_with(-torch.inf),
        overwrite_with(-1e9),
    ),
    Misconception(
        "writes-into-softmax-output",
        "a tensor that the backward pass needs is overwritten",
        "The weights are right, but you change the softmax's result in place, and autograd needs that result for the "
        "gradient. Which operation ends in an underscore, or assigns into a tensor? Make a new tensor instead.",
        (spoil_softmax_output,),
    ),
    mistakes.DETACHED_GRADIENT.row(
        lambda scores, valid_lens=None: right(scores.detach(), keep_mask(scores, valid_lens)),
        inputs="the scores",
    ),
    mistakes.NAN_GRADIENT.explained(
        "You replace the NaN of an empty row after it has arisen. The backward pass still goes through 0/0, "
        "and NaN times 0 is NaN: the row must never get that far, or its scores must be cut off before it.",
        lambda scores, valid_lens=None: add_infinity(scores, valid_lens).nan_to_num(0.0),
    ),
    mistakes.TYPE_CHANGED.explained(
        "Weights have the scores' own type: float16 in, float16 out. Somewhere a conversion, or a constant of "
        "another type, changed it.",
        lambda scores, valid_lens=None: right(scores.float(), keep_mask(scores, valid_lens)),
        lambda scores, valid_lens=None: right(scores.double(), keep_mask(scores, valid_lens)),
    ),
    Misconception(
        "one-maximum-for-all",
        "one number is subtracted from all the rows",
        "Subtracting the maximum of the whole tensor keeps the exponential from overflowing. But a row that lies far "
        "below that maximum underflows to 0 everywhere, and 0/0 is left. Each row needs the maximum of its own scores.",
        tuple(
            subtract_one_maximum(*dims, repair=repair)
            for dims in ((0, 1, 2), (1, 2))
            for repair in (
                lambda total: total,
                lambda total: total.masked_fill(total == 0, 1.0),
                lambda total: total.clamp(min=1e-6),
            )
        ),
    ),
    mistakes.OVERFLOW.explained(
        "exp(200) is more than float32 can hold. A softmax stays the same if one number is subtracted from all the "
        "scores of a row: which number makes the largest exponential 1?",
        divide_exps_in(None, lambda total: total.masked_fill(total == 0, 1.0)),
        divide_exps_in(torch.float64, lambda total: total.masked_fill(total == 0, 1.0)),
        divide_exps_in(None, lambda total: total),
        *(
            divide_valid_exps(fill, repair)
            for fill in (0.0, -torch.inf)
            for repair in (
                lambda total: total.masked_fill(total == 0, 1.0),
                lambda total: total.clamp(min=1e-6),
            )
        ),
        lambda scores, valid_lens=None: divide_valid_exps(-torch.inf, lambda total: total)(
            scores, valid_lens
        ).nan_to_num(0.0),
        lambda scores, valid_lens=None: divide_exps_in(None, lambda total: total)(scores, valid_lens).nan_to_num(0.0),
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(right_weights)),
    mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(right_weights)),
    mistakes.nothing_returned(),
)
