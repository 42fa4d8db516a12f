"""Lab 10's exercises: what a right answer does, and the mistakes that people make."""

EXERCISES = (
    "rotate",
    "grouped_query_attention",
    "online_step",
    "attend_in_blocks",
    "sliding_window_mask",
    "cache_bytes",
)
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "rotate": ("positions.rotate",),
    "grouped_query_attention": ("long_contexts.grouped_query_attention",),
    "online_step": ("long_contexts.online_step",),
    "attend_in_blocks": ("long_contexts.attend_in_blocks",),
    "sliding_window_mask": ("long_contexts.sliding_window_mask",),
    "cache_bytes": ("long_contexts.cache_bytes",),
}
