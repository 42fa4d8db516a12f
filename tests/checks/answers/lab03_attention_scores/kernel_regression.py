"""Answers to `kernel_regression`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("kernel_regression")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_broadcasting(x_query, x_train, y_train, bandwidth):
    scores = -((x_query[:, None] - x_train[None, :]) ** 2) / (2 * bandwidth**2)
    return torch.softmax(scores, dim=1) @ y_train


@right
def one_query_at_a_time(x_query, x_train, y_train, bandwidth):
    predictions = [(-0.5 * ((x - x_train) / bandwidth).square()).softmax(0).dot(y_train) for x in x_query]
    return torch.stack(predictions)


@right
def as_attention(x_query, x_train, y_train, bandwidth):
    queries, keys, values = (x_query.view(1, -1, 1), x_train.view(1, -1, 1), y_train.view(1, -1, 1))
    weights = (-(queries - keys.transpose(1, 2)).pow(2) / 2 / bandwidth / bandwidth).softmax(-1)
    return torch.bmm(weights, values).flatten()


@right
def exponentials_shifted_by_hand(x_query, x_train, y_train, bandwidth):
    scores = -((x_query.unsqueeze(1) - x_train) ** 2) / (2 * bandwidth**2)
    exps = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
    return (exps * y_train).sum(1) / exps.sum(1)


@right
def without_the_querys_square(x_query, x_train, y_train, bandwidth):
    """The square of the query is the same for all points, and the softmax drops it."""
    scores = (torch.outer(x_query, x_train) - x_train**2 / 2) / bandwidth**2
    return torch.einsum("qn,n->q", scores.softmax(-1), y_train)


@right
def with_cdist(x_query, x_train, y_train, bandwidth):
    distances = torch.cdist(x_query[:, None], x_train[:, None])
    return F.softmax(-distances.square() / (2 * bandwidth**2), dim=-1).mv(y_train)


@right
def with_logsumexp(x_query, x_train, y_train, bandwidth):
    scores = -((x_train[None] - x_query[:, None]) ** 2) * (0.5 / bandwidth**2)
    return ((scores - scores.logsumexp(1, keepdim=True)).exp() * y_train).sum(1)


# === Wrong ============================================================================================================


@wrong(named="minus-missing")
def the_farthest_point_counts_most(x_query, x_train, y_train, bandwidth):
    return (((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong(named="minus-missing")
def minus_inside_the_square(x_query, x_train, y_train, bandwidth):
    return ((-(x_query[:, None] - x_train)).pow(2) / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong(named="bandwidth-not-squared")
def right_for_a_bandwidth_of_one(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth)).softmax(-1) @ y_train


@wrong(named="softmax-over-queries")
def queries_share(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(0) @ y_train


@wrong(named="two-missing")
def without_the_two(x_query, x_train, y_train, bandwidth):
    return (-(((x_query[:, None] - x_train) / bandwidth) ** 2)).softmax(-1) @ y_train


@wrong(named="two-squared")
def brackets_too_wide(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth) ** 2).softmax(-1) @ y_train


@wrong(named="multiplied-by-the-bandwidth")
def brackets_missing(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / 2 * bandwidth**2).softmax(-1) @ y_train


@wrong(named="distance-not-squared")
def absolute_distance(x_query, x_train, y_train, bandwidth):
    return (-(x_query[:, None] - x_train).abs() / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong(named="underflow")
def the_textbooks_fraction(x_query, x_train, y_train, bandwidth):
    kernel = torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    return (kernel @ y_train) / kernel.sum(1)


@wrong(named="underflow")
def with_an_epsilon(x_query, x_train, y_train, bandwidth):
    kernel = torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    return (kernel @ y_train) / (kernel.sum(1) + 1e-9)


@wrong(named="weights-do-not-sum-to-1")
def not_divided(x_query, x_train, y_train, bandwidth):
    return torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)) @ y_train


@wrong(named="bandwidth-ignored")
def one_bandwidth(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, 1.0)


@wrong(named="nearest-only")
def the_nearest(x_query, x_train, y_train, bandwidth):
    return y_train[(x_query[:, None] - x_train).abs().argmin(1)]


@wrong(named="pools-keys-for-values")
def the_mean_of_x(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, x_train, bandwidth)


@wrong(named="axis-left-over")
def a_column(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, bandwidth).unsqueeze(1)


@wrong(named="pairs-in-step")
def right_for_as_many_queries_as_points_never(x_query, x_train, y_train, bandwidth):
    return (-((x_query - x_train) ** 2) / (2 * bandwidth**2)).softmax(0) @ y_train


@wrong(named="weights-for-predictions")
def the_weights(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(-1)


@wrong(named="detached-gradient")
def one_number_at_a_time(x_query, x_train, y_train, bandwidth):
    return torch.tensor([one_query_at_a_time(x[None], x_train, y_train, bandwidth).item() for x in x_query]).to(y_train)


@wrong(named="detached-gradient")
def points_without_a_gradient(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train.detach(), y_train, bandwidth)


@wrong(named="type-changed")
def in_single_precision(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query.float(), x_train.float(), y_train.float(), bandwidth)


@wrong(named="writes-into-arguments")
def divides_the_caller(x_query, x_train, y_train, bandwidth):
    prediction = by_broadcasting(x_query, x_train, y_train, bandwidth)
    x_query.data.div_(bandwidth + 1)
    return prediction


@wrong(named="forbidden-call")
def by_pytorchs_attention(x_query, x_train, y_train, bandwidth):
    queries = torch.stack([x_query, torch.ones_like(x_query)], 1)[None] / bandwidth**2
    keys = torch.stack([x_train, -(x_train**2) / 2], 1)[None]
    return F.scaled_dot_product_attention(queries, keys, y_train[None, :, None], scale=1.0)[0, :, 0]


@wrong(named=None)
def sorted_points(x_query, x_train, y_train, bandwidth):
    """Right where the points come in the order of x."""
    return by_broadcasting(x_query, x_train.sort().values, y_train, bandwidth)


@wrong(named=None)
def bandwidth_cut_to_a_whole_number(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, max(1, int(bandwidth)))


@wrong(named=None)
def itself_left_out(x_query, x_train, y_train, bandwidth):
    """Leaves out a point at the very place, as in cross-validation."""
    scores = -((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)
    nearest = scores == scores.amax(1, keepdim=True)
    return scores.masked_fill(nearest & (scores.shape[1] > 1), -math.inf).softmax(-1) @ y_train


@wrong(named="small-sizes-only")
def at_most_a_hundred_queries(x_query, x_train, y_train, bandwidth):
    scores = -((x_query[:100, None] - x_train) ** 2) / (2 * bandwidth**2)
    predictions = scores.softmax(-1) @ y_train
    return torch.cat([predictions, torch.zeros_like(x_query[100:])])
