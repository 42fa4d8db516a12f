"""The line that went wrong, for mistakes that have a picture: as people write it, exercise by exercise.

It is what to look for in your own code, and not what would be right. Where no single line is to blame (a result is kept
from call to call), there is none.
"""

from types import MappingProxyType

# In the masked softmax and in the scaled dot product the same mask goes wrong in the same ways.
_MASKS = {
    "attends-to-padding": "weights = scores.softmax(dim=-1)",
    "inverted-mask": "scores.masked_fill(keep, -torch.inf)",
    "off-by-one": "keep = torch.arange(key) <= valid_lens",
    "one-length-for-all": "keep = torch.arange(key) < valid_lens[0]",
    "ignores-1d-lengths": "if valid_lens is not None and valid_lens.dim() == 2:",
    "ignores-2d-lengths": "if valid_lens is not None and valid_lens.dim() == 1:",
    "lengths-on-the-wrong-axis": "valid_lens = valid_lens.repeat(query).reshape(batch, query)",
    "mask-after-softmax": "weights = scores.softmax(dim=-1) * keep",
    "masks-with-zero": "scores.masked_fill(~keep, 0.0).softmax(dim=-1)",
    "no-softmax": "weights = scores.masked_fill(~keep, 0.0)",
}

WRONG_LINES = MappingProxyType(
    {
        "length_mask": {
            "inverted-mask": "torch.arange(max_len) >= valid_lens.unsqueeze(-1)",
            "off-by-one": "torch.arange(max_len) <= valid_lens.unsqueeze(-1)",
            "one-length-for-all": "torch.arange(max_len) < valid_lens.max()",
            "padding-in-front": "torch.arange(max_len) >= max_len - valid_lens.unsqueeze(-1)",
            "empty-row-keeps-one": "valid_lens = valid_lens.clamp(min=1)",
        },
        "masked_softmax": {
            **_MASKS,
            "softmax-over-queries": "masked.softmax(dim=1)",
            "softmax-over-batch": "masked.softmax(dim=0)",
            "softmax-over-everything": "masked.flatten(1).softmax(dim=-1)",
            "masked-and-renormalised": "kept = scores.softmax(dim=-1) * keep; kept / kept.sum(-1, keepdim=True)",
            "mask-lacks-an-axis": "keep = torch.arange(key) < valid_lens.unsqueeze(1)  # (batch, key)",
            "masks-queries": "keep = torch.arange(query) < valid_lens.unsqueeze(1)",
            "finite-fill": "scores.masked_fill(~keep, -1e6).softmax(dim=-1)",
            "fill-not-low-enough": "scores.masked_fill(~keep, -1e4).softmax(dim=-1) * keep",
            "empty-row-attends": "scores.masked_fill(~keep & keep.any(-1, keepdim=True), -torch.inf)",
            "empty-row-keeps-one": "valid_lens = valid_lens.clamp(min=1)",
            "nan-empty-row": "scores.masked_fill(~keep, -torch.inf).softmax(dim=-1)",
            "no-exponential": "weights = scores * keep / (scores * keep).sum(-1, keepdim=True)",
            "one-maximum-for-all": "exps = (scores - scores.max()).exp()",
            "overflow": "exps = scores.exp() * keep",
            "scores-scaled": "scores = scores / math.sqrt(scores.shape[-1])",
        },
        "scaled_dot_product_attention": {
            **_MASKS,
            "softmax-over-wrong-axis": "weights = scores.softmax(dim=1)",
            "never-scales": "scores = queries @ keys.mT",
            "divides-by-d": "scores = queries @ keys.mT / d",
            "multiplies-by-root-d": "scores = queries @ keys.mT * math.sqrt(d)",
            "root-of-value-width": "scores = queries @ keys.mT / math.sqrt(values.shape[-1])",
            "scale-after-softmax": "weights = scores.softmax(dim=-1) / math.sqrt(d)",
            "scores-for-weights": "return weights @ values, scores",
            "unmasked-weights": "return masked @ values, scores.softmax(dim=-1)",
        },
        "plot_attention": {
            "transposed": "ax.imshow(weights.T)",
            "origin-at-the-bottom": 'ax.imshow(weights, origin="lower")',
            "scale-per-picture": "ax.imshow(weights)  # no vmin, no vmax",
            "labels-missing": "ax.set_xticks(range(len(source_tokens)))",
            "labels-exchanged": "ax.set_xticks(range(len(target_tokens)), target_tokens)",
            "labels-in-reverse": "ax.set_yticks(range(len(target_tokens)), target_tokens[::-1])",
            "labels-misplaced": "ax.set_xticklabels(source_tokens)  # ticks where Matplotlib happened to put them",
            "labels-skipped": "ax.set_xticks(range(0, len(source_tokens), 2), source_tokens[::2])",
            "repeated-tokens-merged": "names = dict.fromkeys(source_tokens)",
            "titles-missing": "ax.imshow(weights)  # and no axis says what it is",
            "titles-exchanged": 'ax.set_xlabel("target"); ax.set_ylabel("source")',
            "global-figure": "plt.imshow(weights)  # although it was given ax",
        },
        "hard_alignment": {
            "argmax-over-targets": "weights.argmax(dim=0)",
            "pairs-reversed": "links.append((source, target))",
            "positions-from-1": "links.append((target + 1, source + 1))",
            "ties-to-the-last": "best = source if weight >= largest else best",
            "ties-all-linked": "for source in (row == row.max()).nonzero():",
            "threshold-ignored": "best = row.argmax()  # whatever the threshold is",
            "threshold-reversed": "if weight < threshold:",
            "threshold-relative": "if weight >= threshold * row.max():",
            "zero-is-no-threshold": "if threshold:",
            "one-link-in-all": "weights.argmax()",
        },
        "ablate_source": {
            "not-renormalised": "weights[:, position] = 0",
            "wrong-axis": "weights[position, :] = 0",
            "another-column": "weights[:, position - 1] = 0",
            "nan-row": "rest / rest.sum(dim=1, keepdim=True)",
            "softmax-twice": "weights.softmax(dim=-1)",
        },
        "causal_mask": {
            "inverted-mask": "torch.ones(n, n).triu(1).bool()",
            "upper-triangle": "torch.ones(n, n).triu().bool()",
            "diagonal-masked": "torch.ones(n, n).tril(-1).bool()",
            "one-step-ahead": "torch.ones(n, n).tril(1).bool()",
            "itself-only": "torch.eye(n).bool()",
            "nothing-masked": "torch.ones(n, n).bool()",
            "not-boolean": "torch.ones(n, n).tril()",
        },
    }
)
