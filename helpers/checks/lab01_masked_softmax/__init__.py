"""Lab 1's exercises: what a right answer does, and the mistakes that people make."""

EXERCISES = ("length_mask", "masked_softmax", "breaking_input", "masked_mean")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "length_mask": ("attention.length_mask",),
    "masked_softmax": ("attention.masked_softmax", "attention._softmax_where"),
    "breaking_input": (),
    "masked_mean": (),
}
