"""Answers to `attend_in_blocks`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("attend_in_blocks")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_slices(queries, keys, values, block_size, step):
    state = None
    for first in range(0, keys.shape[1], block_size):
        some = keys[:, first : first + block_size]
        scores = queries @ some.transpose(1, 2) / math.sqrt(queries.shape[-1])
        state = step(state, scores, values[:, first : first + block_size])
    return state[2]


@right
def by_split(queries, keys, values, block_size, step):
    state = None
    for k, v in zip(keys.split(block_size, dim=1), values.split(block_size, dim=1), strict=True):
        state = step(state, torch.bmm(queries, k.mT) / queries.size(-1) ** 0.5, v)
    _, _, output = state
    return output


@right
def with_a_while_loop(queries, keys, values, block_size, step):
    done, maximum_total_output = 0, None
    scaled = queries / math.sqrt(queries.shape[2])
    while done < keys.shape[1]:
        end = min(done + block_size, keys.shape[1])
        maximum_total_output = step(maximum_total_output, scaled @ keys[:, done:end].mT, values[:, done:end])
        done = end
    return maximum_total_output[-1]


@right
def recursive(queries, keys, values, block_size, step):
    def rest(state, keys, values):
        if keys.shape[1] == 0:
            return state[2]
        scores = torch.einsum("bqd,bkd->bqk", queries, keys[:, :block_size]) * queries.shape[-1] ** -0.5
        return rest(step(state, scores, values[:, :block_size]), keys[:, block_size:], values[:, block_size:])

    return rest(None, keys, values)


@right
def by_numbers_of_blocks(queries, keys, values, block_size, step):
    blocks, state = math.ceil(keys.shape[1] / block_size), None
    for number in range(blocks):
        at = torch.arange(number * block_size, min((number + 1) * block_size, keys.shape[1]))
        scores = queries.matmul(keys.index_select(1, at).transpose(-1, -2)).div(math.sqrt(queries.shape[-1]))
        state = step(state, scores, values.index_select(1, at))
    return state[2]


# === Wrong ============================================================================================================


def scored(queries, keys):
    return queries @ keys.mT / math.sqrt(queries.shape[-1])


@wrong(named="last-block-dropped")
def whole_blocks_only(queries, keys, values, block_size, step):
    state = None
    for number in range(keys.shape[1] // block_size):
        at = slice(number * block_size, (number + 1) * block_size)
        state = step(state, scored(queries, keys[:, at]), values[:, at])
    return state[2]


@wrong(named="last-block-dropped")
def stops_a_block_early(queries, keys, values, block_size, step):
    state = None
    for first in range(0, keys.shape[1] - block_size, block_size):
        at = slice(first, first + block_size)
        state = step(state, scored(queries, keys[:, at]), values[:, at])
    return state[2]


@wrong(named="never-scales")
def root_forgotten(queries, keys, values, block_size, step):
    state = None
    for first in range(0, keys.shape[1], block_size):
        at = slice(first, first + block_size)
        state = step(state, queries @ keys[:, at].mT, values[:, at])
    return state[2]


@wrong(named="blocks-normalised-by-themselves")
def none_each_time(queries, keys, values, block_size, step):
    for first in range(0, keys.shape[1], block_size):
        at = slice(first, first + block_size)
        state = step(None, scored(queries, keys[:, at]), values[:, at])
    return state[2]


@wrong(named="blocks-normalised-by-themselves")
def outputs_averaged(queries, keys, values, block_size, step):
    outputs = [
        step(None, scored(queries, k), v)[2]
        for k, v in zip(keys.split(block_size, 1), values.split(block_size, 1), strict=True)
    ]
    return torch.stack(outputs).mean(0)


@wrong(named="blocks-normalised-by-themselves")
def softmax_before_the_step(queries, keys, values, block_size, step):
    state = None
    for first in range(0, keys.shape[1], block_size):
        at = slice(first, first + block_size)
        state = step(state, scored(queries, keys[:, at]).softmax(-1), values[:, at])
    return state[2]


@wrong(named="whole-matrix-in-one-step")
def one_block_of_all(queries, keys, values, block_size, step):
    return step(None, scored(queries, keys), values)[2]


@wrong(named="step-not-used")
def at_once(queries, keys, values, block_size, step):
    return scored(queries, keys).softmax(-1) @ values


@wrong(named="step-not-used")
def a_step_of_its_own(queries, keys, values, block_size, step):
    maximum = torch.full((*queries.shape[:2], 1), -torch.inf, dtype=queries.dtype)
    total, summed = torch.zeros_like(maximum), 0.0
    for first in range(0, keys.shape[1], block_size):
        scores = scored(queries, keys[:, first : first + block_size])
        new = torch.maximum(maximum, scores.detach().amax(-1, keepdim=True))
        weights, factor = (scores - new).exp(), (maximum - new).exp()
        total = total * factor + weights.sum(-1, keepdim=True)
        summed = summed * factor + weights @ values[:, first : first + block_size]
        maximum = new
    return summed / total


@wrong(named="blocks-of-another-size")
def one_key_too_many(queries, keys, values, block_size, step):
    state = None
    for first in range(0, keys.shape[1], block_size):
        at = slice(first, first + block_size + 1)
        state = step(state, scored(queries, keys[:, at]), values[:, at])
    return state[2]


@wrong(named="blocks-of-another-size")
def size_taken_for_number(queries, keys, values, block_size, step):
    state = None
    for k, v in zip(keys.chunk(block_size, 1), values.chunk(block_size, 1), strict=True):
        state = step(state, scored(queries, k), v)
    return state[2]


@wrong(named="one-sequence-at-a-time")
def sequence_by_sequence(queries, keys, values, block_size, step):
    outputs = []
    for b in range(len(queries)):
        outputs.append(by_slices(queries[b : b + 1], keys[b : b + 1], values[b : b + 1], block_size, step))
    return torch.cat(outputs)


@wrong(named="values-of-other-keys")
def first_values_always(queries, keys, values, block_size, step):
    state = None
    for k in keys.split(block_size, dim=1):
        state = step(state, scored(queries, k), values[:, : k.shape[1]])
    return state[2]


@wrong(named="values-of-other-keys")
def all_the_values(queries, keys, values, block_size, step):
    state = None
    for k in keys.split(block_size, dim=1):
        state = step(state, scored(queries, k), values)
    return state[2]


@wrong(named="step-called-by-name")
def by_keywords(queries, keys, values, block_size, step):
    state = None
    for k, v in zip(keys.split(block_size, 1), values.split(block_size, 1), strict=True):
        state = step(state=state, scores=scored(queries, k), values=v)
    return state[2]


@wrong(named="state-for-the-output")
def all_three(queries, keys, values, block_size, step):
    state = None
    for k, v in zip(keys.split(block_size, 1), values.split(block_size, 1), strict=True):
        state = step(state, scored(queries, k), v)
    return state


@wrong(named="divided-once-more")
def mean_of_the_mean(queries, keys, values, block_size, step):
    state = None
    for k, v in zip(keys.split(block_size, 1), values.split(block_size, 1), strict=True):
        state = step(state, scored(queries, k), v)
    return state[2] / state[1]


@wrong(named="blocks-in-reverse")
def from_the_end(queries, keys, values, block_size, step):
    state = None
    for first in reversed(range(0, keys.shape[1], block_size)):
        at = slice(first, first + block_size)
        state = step(state, scored(queries, keys[:, at]), values[:, at])
    return state[2]


@wrong(named="whole-matrix-in-one-step")
def queries_in_blocks(queries, keys, values, block_size, step):
    outputs = [step(None, scored(q, keys), values)[2] for q in queries.split(block_size, dim=1)]
    return torch.cat(outputs, dim=1)


@wrong(named="forbidden-call")
def pytorch_beside_the_step(queries, keys, values, block_size, step):
    by_slices(queries, keys, values, block_size, step)
    return nn.functional.scaled_dot_product_attention(queries, keys, values)


@wrong(named="nothing-returned")
def not_returned(queries, keys, values, block_size, step):
    by_slices(queries, keys, values, block_size, step)


@wrong(named="first-block-only")
def returns_in_the_loop(queries, keys, values, block_size, step):
    for first in range(0, keys.shape[1], block_size):
        at = slice(first, first + block_size)
        return step(None, scored(queries, keys[:, at]), values[:, at])[2]


@wrong(named="last-block-dropped")
def at_most_three_blocks(queries, keys, values, block_size, step):
    return by_slices(queries, keys[:, : 3 * block_size], values[:, : 3 * block_size], block_size, step)
