"""Lab 9's exercises: what a right answer does, and the mistakes that people make.

Where chance has a part, an answer is judged by what it draws over many rows, never by how it draws. The tolerance is so
wide that a right answer is taken for a wrong one less than once in a million checks.
"""

EXERCISES = ("next_token_targets", "cached_attention", "sample_next", "generate", "perplexity")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "next_token_targets": ("language_model.next_token_targets",),
    "cached_attention": ("language_model.cached_attention",),
    "sample_next": ("language_model.sample_next",),
    "generate": ("language_model.generate",),
    "perplexity": ("language_model.perplexity",),
}
