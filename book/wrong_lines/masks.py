"""In the masked softmax and in what is made of it the same mask goes wrong in the same ways."""

MASKS = {
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
