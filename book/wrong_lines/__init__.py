"""The line that went wrong, for mistakes that come down to one: as people write it, exercise by exercise.

It is what to look for in your own code, and not what would be right. Where no single line is to blame (a result is kept
from call to call), there is none.
"""

from collections import ChainMap
from collections.abc import Mapping

from book.wrong_lines import lab01, lab02, lab03, lab04, lab05, lab06, lab07, lab08, lab09, lab10

WRONG_LINES: Mapping[str, Mapping[str, str]] = ChainMap(
    *(lab.LINES for lab in (lab01, lab02, lab03, lab04, lab05, lab06, lab07, lab08, lab09, lab10))
)
