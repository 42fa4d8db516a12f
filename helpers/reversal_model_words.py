"""All the words that the model in the page says. `{…}` is filled in; another language is another such table."""

WORDS = {
    # in the table, which every reader gets
    "caption": "A model that was trained to write words of ten letters backwards.",
    "table": "Where the model looks",
    "wrote": "{word} → {written}",
    "run": "Run this cell in JupyterLab, and you can type another word.",
    # around the letters
    "type": "Type a word",
    "try": "or try",
    "examples": "BACKGROUND BOOKKEEPER MISUNDERSTANDINGS",
    "back": "‹ Back",
    "next": "Next ›",
    "play": "▶ Write it",
    "pause": "❚❚ Pause",
    "undo": "Undo forcing",
    "corner": "wrote ↓ read →",
    "sure": "sure",
    "sure_of": "{share} %",
    "letter": "letter {place}: change it",
    "hint": "Each row is a letter written, each column a letter read; the stronger the colour, the more the model "
    "looked there. A dashed frame is where the right letter stands. Choose another letter in a row, and see how the "
    "model goes on.",
    # what is seen, in a sentence
    "empty": "Type a word, and the model writes it backwards.",
    "start": "The model has read {word}. Now it writes.",
    "step": "Letter {place} of {length}: {token}, {share} % sure. It looks most at {where}, {weight}.",
    "forced": "Letter {place} of {length}: you wrote {token}, where the model wanted {own}. It looked most at {where}, "
    "{weight}.",
    "place": "{token} (place {place})",
    "right": "{word} → {written}: right in every letter.",
    "wrong": "{word} → {written}: {wrong} of {length} letters are wrong. Right would be {right}.",
    "length": "It was only ever trained on ten letters; this word has {length}.",
    "forced_note": "You forced {forced} of the letters.",
    "outside": "The model knows A to Z and nothing else: {left_out} was left out.",
    "too_long": "Only the first {most} letters are read.",
}
