"""All the words that the attention view says. `{…}` is filled in; another language is another such table."""

WORDS = {
    # in the table, which every reader gets
    "weights": "Attention weights",
    "corner": "target ↓ source →",
    "elsewhere": "elsewhere",
    "head": "head {number}",
    "run": "Run this cell in JupyterLab, and you can point at the words and step through them.",
    "without_table": "Without {token}: {written}",
    # around the words to point at
    "target": "target (queries)",
    "source": "source (keys)",
    "heads": "whose weights",
    "back": "‹ Back",
    "next": "Next ›",
    "freeze": "Freeze this row",
    "hide": "Hide a source word",
    "hide_this": "Hide {token}",
    "threshold": "Leave out weights below",
    "save_svg": "Save SVG",
    "save_png": "Save PNG",
    "table": "All weights as a table",
    "table_name": "table of weights",
    "point": "Point at a target word to see where it looks, or at a source word to see who looks at it. A click keeps "
    "it, the arrow keys go on, Esc goes back. Dashed words are still to come.",
    "tap": "Tap a target word to see where it looks, or a source word to see who looks at it. Tap it again to go back. "
    "Dashed words are still to come.",
    "hideable": "Choose a source word, and you can hide it from the model.",
    # what is seen, in a sentence
    "step": "Step {step} of {steps}: ",
    "looks": " looks at {what}",
    "looked_at": " is looked at by {what}",
    "nothing": "nothing",
    "nobody": "nobody",
    "nothing_above": "nothing with {threshold} or more",
    "nobody_above": "nobody with {threshold} or more",
    "rest": "; elsewhere {weight}",
    "place": "{token} (place {place})",
    "frozen": "Frozen: {token} looks at {what}",
    "with_head": "{token} ({head})",
    "with_hidden": "{token} (without {hidden})",
    "with_all": "{token} (nothing hidden)",
    "without": "Without {token} the model writes {written}, and before {before}.",
    "without_same": "Without {token} the model writes the same: {written}.",
}
