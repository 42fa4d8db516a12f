"""Lab 6's exercises: what a right answer does, and the mistakes that people make."""

EXERCISES = ("encode_batch", "BahdanauDecoder", "translate", "bleu")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "encode_batch": ("corpora.encode_batch",),
    "BahdanauDecoder": ("seq2seq.BahdanauDecoder",),
    "translate": ("translation.Translator",),
    "bleu": ("metrics.bleu",),
}
