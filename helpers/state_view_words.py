"""All the words that the state view says. `{…}` is filled in; another language is another such table."""

WORDS = {
    # in the table, which every reader gets
    "table": "The state after each step, and what is written back from it",
    "read": "it reads",
    "state": "its state",
    "written": "written back",
    "strip": "{count} numbers, from {low} to {high}",
    "run": "Run this cell in JupyterLab, and you can step through the reading.",
    # around the rows
    "back": "‹ Back",
    "next": "Next ›",
    "play": "▶ Read it again",
    "pause": "❚❚ Pause",
    "hint": "Each row is the state after one more letter, a cell for each of its numbers: coloured if the number is "
    "positive, grey if it is negative, and the stronger, the further from 0. On the right is what the decoder writes "
    "from that state alone; a letter that is wrong is underlined.",
    # what is seen, in a sentence
    "right": "It has read {read}. From this state alone, {written} is written: right in every letter.",
    "wrong": "It has read {read}. From this state alone, {written} is written: {wrong} of {length} letters wrong. "
    "Right would be {wanted}.",
}
