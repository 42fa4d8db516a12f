"""Answers to `online_step`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("online_step")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def rescaled(state, scores, values):
    best = scores.amax(-1, keepdim=True)
    if state is None:
        old_max, old_total, old_output = torch.full_like(best, -torch.inf), torch.zeros_like(best), 0.0
    else:
        old_max, old_total, old_output = state
    maximum = torch.maximum(old_max, best)
    safe = torch.where(maximum == -torch.inf, torch.zeros_like(maximum), maximum)
    kept = old_total * torch.exp(old_max - safe)
    weights = torch.exp(scores - safe)
    total = kept + weights.sum(-1, keepdim=True)
    output = kept * old_output + weights @ values
    return maximum, total, output / torch.where(total == 0, torch.ones_like(total), total)


@right
def with_nan_to_num(state, scores, values):
    """NaN is let in and thrown out again; a gradient is asked for only where there is none."""
    block_max = scores.max(dim=-1, keepdim=True).values
    m = block_max if state is None else torch.maximum(state[0], block_max)
    p = torch.nan_to_num(torch.exp(scores - m), nan=0.0)
    total = p.sum(dim=-1, keepdim=True)
    acc = torch.bmm(p, values)
    if state is not None:
        alpha = torch.nan_to_num(torch.exp(state[0] - m), nan=0.0)
        acc = acc + state[2] * (state[1] * alpha)
        total = total + state[1] * alpha
    return m, total, torch.nan_to_num(acc / total, nan=0.0)


@right
def by_logsumexp(state, scores, values):
    """The block by itself, then two softmaxes are put together by their logarithms."""
    dead = (scores == -torch.inf).all(-1, keepdim=True)
    weights = scores.masked_fill(dead, 0.0).softmax(-1).masked_fill(dead, 0.0)
    output = weights @ values
    log_total = torch.logsumexp(scores, -1, keepdim=True)
    maximum = scores.amax(-1, keepdim=True)
    if state is not None:
        old_max, old_total, old_output = state
        maximum = torch.maximum(old_max, maximum)
        base = maximum.clamp(min=torch.finfo(scores.dtype).min)
        old, new = old_total * (old_max - base).exp(), (log_total - base).exp()
        total = old + new
        share = torch.where(total > 0, old / total.clamp(min=1e-30 if scores.dtype != torch.float16 else 1e-4), 0.0)
        return maximum, total, (share * old_output + (1 - share) * output).to(scores.dtype)
    total = torch.where(dead, torch.zeros_like(maximum), (log_total - maximum.masked_fill(dead, 0.0)).exp())
    return maximum, total, output


@right
def through_an_einsum(state, scores, values):
    m_block = torch.amax(scores, dim=2)
    if state is None:
        m, carried, out = m_block, torch.zeros_like(m_block), torch.zeros(*scores.shape[:2], values.shape[2])
        out = out.to(values)
    else:
        m = torch.maximum(state[0][..., 0], m_block)
        finite = m.masked_fill(m.isinf(), 0)
        carried = state[1][..., 0] * (state[0][..., 0] - finite).exp()
        out = state[2]
    finite = m.masked_fill(m.isinf(), 0)
    p = (scores - finite[..., None]).exp()
    total = carried + p.sum(2)
    summed = carried[..., None] * out + torch.einsum("bqk,bkv->bqv", p, values)
    divisor = total.masked_fill(total == 0, 1)
    return m[..., None], total[..., None], summed / divisor[..., None]


@right
def key_by_key(state, scores, values):
    """One number at a time, as Milakov and Gimelshein have it."""
    if state is None:
        shape = (*scores.shape[:2], 1)
        m = torch.full(shape, -math.inf).to(scores)
        total = torch.zeros(shape).to(scores)
        output = torch.zeros(*scores.shape[:2], values.shape[-1]).to(values)
    else:
        m, total, output = state
    for k in range(scores.shape[-1]):
        s = scores[:, :, k : k + 1]
        new = torch.maximum(m, s)
        finite = torch.where(new == -math.inf, torch.zeros_like(new), new)
        old_part, new_part = total * torch.exp(m - finite), torch.exp(s - finite)
        total = old_part + new_part
        share = new_part / total.masked_fill(total == 0, 1.0)
        output = output + share * (values[:, None, k] - output)
        m = new
    return m, total, output


@right
def in_float64_inside(state, scores, values):
    dtype = scores.dtype
    s, v = scores.double(), values.double()
    maximum = s.detach().amax(2, keepdim=True)
    if state is not None:
        maximum = torch.maximum(maximum, state[0].detach().double())
    anchor = torch.where(maximum.isfinite(), maximum, torch.zeros_like(maximum))
    weights = (s - anchor).exp()
    total, summed = weights.sum(2, keepdim=True), weights @ v
    if state is not None:
        old = state[1].double() * (state[0].detach().double() - anchor).exp()
        total, summed = total + old, summed + old * state[2].double()
    output = summed / (total + (total == 0))
    return maximum.to(dtype), total.to(dtype), output.to(dtype)


# === Wrong ============================================================================================================


def parts(state, scores):
    """Old maximum and new, with what stands for the new one in a subtraction."""
    best = scores.amax(-1, keepdim=True)
    maximum = best if state is None else torch.maximum(state[0], best)
    return maximum, maximum.masked_fill(maximum == -torch.inf, 0.0)


def divided(summed, total):
    return summed / total.masked_fill(total == 0, 1.0)


@wrong(named="total-not-rescaled")
def plus_the_old_total(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        summed = summed + state[1] * (state[0] - anchor).exp() * state[2]
        total = total + state[1]
    return maximum, total, divided(summed, total)


@wrong(named="output-not-rescaled")
def plus_the_old_sum(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        total = total + state[1] * (state[0] - anchor).exp()
        summed = summed + state[1] * state[2]
    return maximum, total, divided(summed, total)


@wrong(named="old-output-counted-once")
def mean_taken_for_sum(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        factor = (state[0] - anchor).exp()
        total = total + state[1] * factor
        summed = summed + state[2] * factor
    return maximum, total, divided(summed, total)


@wrong(named="factor-upside-down")
def new_less_old(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        factor = (anchor - state[0]).exp()
        total = total + state[1] * factor
        summed = summed + state[1] * state[2] * factor
    return maximum, total, divided(summed, total)


@wrong(named="block-maximum")
def the_blocks_maximum(state, scores, values):
    maximum = scores.amax(-1, keepdim=True)
    anchor = maximum.masked_fill(maximum == -torch.inf, 0.0)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        kept = state[1] * (state[0] - anchor).exp()
        total, summed = total + kept, summed + kept * state[2]
    return maximum, total, divided(summed, total)


@wrong(named="blocks-averaged")
def half_and_half(state, scores, values):
    found = rescaled(state, scores, values)
    if state is None:
        return found
    return found[0], found[1], (state[2] + rescaled(None, scores, values)[2]) / 2


@wrong(named="overflows")
def exponentials_first(state, scores, values):
    maximum, anchor = parts(state, scores)
    exps = scores.exp()
    total, summed = exps.sum(-1, keepdim=True), exps @ values
    if state is not None:
        old = state[1] * state[0].masked_fill(state[0] == -torch.inf, 0.0).exp()
        total, summed = total + old, summed + old * state[2]
    return maximum, total / anchor.exp(), divided(summed, total)


@wrong(named="total-of-plain-exponentials")
def total_without_maximum(state, scores, values):
    maximum, _, output = rescaled(state, scores, values)
    total = scores.exp().sum(-1, keepdim=True)
    return maximum, total + (0 if state is None else state[1]), output


@wrong(named="nan-after-a-mask")
def no_thought_of_masks(state, scores, values):
    best = scores.amax(-1, keepdim=True)
    maximum = best if state is None else torch.maximum(state[0], best)
    weights = torch.exp(scores - maximum)
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        kept = state[1] * torch.exp(state[0] - maximum)
        total, summed = total + kept, summed + kept * state[2]
    return maximum, total, summed / total


@wrong(named="nan-after-a-mask")
def nothing_divided_by_nothing(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        kept = state[1] * (state[0] - anchor).exp()
        total, summed = total + kept, summed + kept * state[2]
    return maximum, total, summed / total


@wrong(named="never-divided")
def divides_at_the_end_maybe(state, scores, values):
    """As FlashAttention keeps it."""
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        factor = (state[0] - anchor).exp()
        total, summed = total + state[1] * factor, summed + state[2] * factor
    return maximum, total, summed


@wrong(named="divided-in-the-first-block-alone")
def forgets_the_last_line_of_the_else(state, scores, values):
    maximum, anchor = parts(state, scores)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is None:
        return maximum, total, divided(summed, total)
    kept = state[1] * (state[0] - anchor).exp()
    return maximum, total + kept, summed + kept * state[2]


@wrong(named="state-ignored")
def the_block_alone(state, scores, values):
    return rescaled(None, scores, values)


@wrong(named="first-maximum-kept")
def first_maximum(state, scores, values):
    maximum = scores.amax(-1, keepdim=True) if state is None else state[0]
    anchor = maximum.masked_fill(maximum == -torch.inf, 0.0)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        total, summed = total + state[1], summed + state[1] * state[2]
    return maximum, total, divided(summed, total)


@wrong(named="masked-keys-count")
def a_billion_below(state, scores, values):
    return rescaled(state, scores.masked_fill(scores == -torch.inf, -1e4), values)


@wrong(named="maximum-of-nothing")
def starts_from_a_billion_below(state, scores, values):
    maximum, total, output = rescaled(state, scores, values)
    return maximum.clamp(min=-1e9), total, output


@wrong(named="maximum-at-least-zero")
def starts_from_zero(state, scores, values):
    if state is None:
        zeros = torch.zeros_like(scores[..., :1])
        state = (zeros, zeros, torch.zeros(*scores.shape[:2], values.shape[2], dtype=scores.dtype))
    maximum, anchor = parts(state, scores)
    weights, kept = (scores - anchor).exp(), state[1] * (state[0] - anchor).exp()
    total = weights.sum(-1, keepdim=True) + kept
    return maximum, total, divided(weights @ values + kept * state[2], total)


@wrong(named="axes-of-the-state-lost")
def without_keepdim(state, scores, values):
    if state is not None:
        state = (state[0][..., None], state[1][..., None], state[2])
    maximum, total, output = rescaled(state, scores, values)
    return maximum[..., 0], total[..., 0], output


@wrong(named="order-of-the-three")
def output_first(state, scores, values):
    if state is not None:
        state = (state[1], state[2], state[0])
    maximum, total, output = rescaled(state, scores, values)
    return output, maximum, total


@wrong(named="state-in-part")
def only_what_is_wanted_in_the_end(state, scores, values):
    return rescaled(None, scores, values)[2]


@wrong(named="writes-into-arguments")
def added_up_in_place(state, scores, values):
    maximum, total, output = rescaled(state, scores, values)
    if state is not None:
        with torch.no_grad():
            state[2].copy_(output)
    return maximum, total, output


@wrong(named="detached-gradient")
def nothing_to_learn_from_the_past(state, scores, values):
    if state is not None:
        state = tuple(part.detach() for part in state)
    return rescaled(state, scores, values)


@wrong(named="maximum-half-detached")
def detached_for_the_exponentials(state, scores, values):
    best = scores.amax(-1, keepdim=True)
    maximum = best if state is None else torch.maximum(state[0], best)
    anchor = maximum.detach().masked_fill(maximum == -torch.inf, 0.0)
    weights = (scores - anchor).exp()
    total, summed = weights.sum(-1, keepdim=True), weights @ values
    if state is not None:
        kept = state[1] * (state[0] - anchor).exp()
        total, summed = total + kept, summed + kept * state[2]
    return maximum, total, divided(summed, total)


@wrong(named="type-changed")
def ends_in_float32(state, scores, values):
    return tuple(part.float() for part in rescaled(state, scores, values))


@wrong(named="nothing-returned")
def keeps_it(state, scores, values):
    rescaled(state, scores, values)


@wrong(named="small-sizes-only")
def sixty_four_keys(state, scores, values):
    return rescaled(state, scores[..., :64], values[:, :64])


@wrong(named=None)
def rescales_when_the_maximum_grows_by_much(state, scores, values):
    if state is not None and bool((scores.amax() - state[0].amax()) < 1.0):
        return plus_the_old_total(state, scores, values)
    return rescaled(state, scores, values)
