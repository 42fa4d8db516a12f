"""Lab 3's exercises: what a right answer does, and the mistakes that people make.

Dropout draws from PyTorch's random numbers, wherever the answer lives, so it isn't seeded here: it is told by what it
leaves behind. However a right answer draws, the chance that it is taken for a wrong one is below 1e-9.
"""

EXERCISES = ("BilinearScore", "AdditiveScore", "AttentionPooling", "kernel_regression")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "BilinearScore": ("attention.BilinearScore",),
    "AdditiveScore": ("attention.AdditiveScore",),
    "AttentionPooling": ("attention.AttentionPooling", "attention._pool"),
    "kernel_regression": ("attention.kernel_regression",),
}
