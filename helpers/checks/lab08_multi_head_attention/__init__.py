"""Lab 8's exercises: what a right answer does, and the mistakes that people make.

Dropout isn't seeded, as it may be drawn in another process: it is told by what it leaves behind. However a right answer
draws, the chance that it is taken for a wrong one is below 1e-9.
"""

EXERCISES = (
    "split_heads",
    "merge_heads",
    "causal_mask",
    "MultiHeadAttention",
    "sinusoidal_positions",
    "TransformerBlock",
)
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "split_heads": ("attention.split_heads", "attention.merge_heads"),
    "merge_heads": ("attention.merge_heads",),
    "causal_mask": ("attention.causal_mask",),
    "MultiHeadAttention": ("attention.MultiHeadAttention",),
    "sinusoidal_positions": ("transformer.sinusoidal_positions",),
    "TransformerBlock": ("transformer.TransformerBlock",),
}
