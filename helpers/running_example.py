"""The course's running example: four words, each with a query, a key and a value that fit on a slip of paper.

The four axes of queries and keys stand for *article, colour, thing, action*. A key says what a word is; a query
says what a word looks for: "car" looks for a colour (2) and for things (1). With d = 4, √d is 2, so every scaled
score is a whole number or a half. Values have two axes, *redness* and *car-ness*.
"""

import torch

TOKENS = ("the", "red", "car", "stops")
AXES = ("article", "colour", "thing", "action")
VALUE_AXES = ("redness", "car-ness")

QUERIES = torch.tensor(
    [
        [0.0, 0.0, 2.0, 0.0],  # the: for a thing
        [0.0, 0.0, 2.0, 1.0],  # red: for a thing, and a little for what it does
        [0.0, 2.0, 1.0, 0.0],  # car: for a colour, and a little for a thing
        [0.0, 0.0, 2.0, 1.0],  # stops: for a thing, and a little for an action
    ]
)

KEYS = torch.tensor(
    [
        [2.0, 0.0, 0.0, 0.0],  # the: an article
        [0.0, 2.0, 0.0, 0.0],  # red: a colour
        [0.0, 0.0, 2.0, 0.0],  # car: a thing
        [0.0, 0.0, 0.0, 2.0],  # stops: an action
    ]
)

VALUES = torch.tensor(
    [
        [0.0, 0.0],  # the
        [10.0, 0.0],  # red
        [0.0, 10.0],  # car
        [0.0, 0.0],  # stops
    ]
)
