"""The lines that went wrong in lab 1."""

from book.wrong_lines.masks import MASKS

LINES = {
    "length_mask": {
        "inverted-mask": "torch.arange(max_len) >= valid_lens.unsqueeze(-1)",
        "off-by-one": "torch.arange(max_len) <= valid_lens.unsqueeze(-1)",
        "one-length-for-all": "torch.arange(max_len) < valid_lens.max()",
        "padding-in-front": "torch.arange(max_len) >= max_len - valid_lens.unsqueeze(-1)",
        "empty-row-keeps-one": "valid_lens = valid_lens.clamp(min=1)",
    },
    "masked_softmax": {
        **MASKS,
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
    "masked_mean": {
        "divides-by-padded-length": "values.mean(dim=1)",
        "divides-by-longest": "total / valid_lens.max()",
        "nan-empty-sequence": "total / valid_lens.unsqueeze(-1)",
        "padding-counted": "values.sum(dim=1) / valid_lens.unsqueeze(-1)",
        "mean-over-wrong-axis": "kept.sum(dim=-1)",
        "sum-for-mean": "return kept.sum(dim=1)",
        "off-by-one": "keep = torch.arange(length) <= valid_lens.unsqueeze(-1)",
        "inverted-mask": "keep = torch.arange(length) >= valid_lens.unsqueeze(-1)",
        "one-length-for-all": "keep = torch.arange(length) < valid_lens[0]",
        "counts-nonzero-steps": "count = (kept != 0).sum(dim=1)",
    },
}
