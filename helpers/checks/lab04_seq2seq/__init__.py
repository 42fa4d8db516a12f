"""Lab 4's exercises: what a right answer does, and the mistakes that people make."""

EXERCISES = ("shift_right", "Seq2SeqModel", "sequence_cross_entropy", "greedy_decode")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "shift_right": ("seq2seq.shift_right",),
    "Seq2SeqModel": ("seq2seq.Seq2Seq", "seq2seq.PlainDecoder", "seq2seq.Encoder"),
    "sequence_cross_entropy": ("seq2seq.sequence_cross_entropy",),
    "greedy_decode": ("seq2seq.greedy_decode",),
}
