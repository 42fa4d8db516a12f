"""Lab 5's exercises: what a right answer does, and the mistakes that people make.

Three exercises are methods of one class. What each check looks at is one method's doing, with the weights that the
check gives; but a method that calls another is only as right as that one, and the tables have a row that says so.
"""

EXERCISES = ("get_context_vector", "decoding", "get_next_token", "LuongDecoder")
# What in `helpers` answers them, and is therefore not there while the lab is graded.
IN_HELPERS: dict[str, tuple[str, ...]] = {
    "get_context_vector": (),
    "decoding": ("seq2seq.BahdanauDecoder",),
    "get_next_token": (),
    "LuongDecoder": ("seq2seq.LuongDecoder",),
}
