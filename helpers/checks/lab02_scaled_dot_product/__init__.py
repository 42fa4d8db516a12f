"""Lab 2's exercises: what a right answer does, and the mistakes that people make.

Two exercises draw random numbers. In whatever order a right answer draws them, its result lies within `SIGMAS` (in
`shared`) standard errors of what theory, or an oracle with many trials, says: for a normal error the chance of missing
is below 1e-14, and with the tails of these errors still far below 1e-6.
"""

EXERCISES = (
    "dot_product_scores",
    "softmax_jacobian",
    "score_variance",
    "gradient_norms",
    "scaled_dot_product_attention",
)
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "dot_product_scores": ("attention.DotProductScore",),
    "softmax_jacobian": ("attention_machine_tables._gradient",),
    "score_variance": (),
    "gradient_norms": (),
    "scaled_dot_product_attention": ("attention.scaled_dot_product_attention", "attention._pool"),
}
