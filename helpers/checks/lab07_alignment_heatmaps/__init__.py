"""Lab 7's exercises: what a right answer does, and the mistakes that people make."""

EXERCISES = ("plot_attention", "hard_alignment", "alignment_error_rate", "ablate_source")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "plot_attention": ("plotting.plot_attention", "plotting.plot_attention_grid", "plotting._draw_heatmap"),
    "hard_alignment": ("metrics.hard_alignment",),
    "alignment_error_rate": ("metrics.alignment_error_rate",),
    "ablate_source": ("alignment.without",),
}
