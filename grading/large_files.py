"""A notebook with hundreds of megabytes of saved outputs, without them: they are cut out before anything is parsed."""

import mmap
import re
from pathlib import Path

MOST_BYTES = 2 * 2**30  # of a file; looking through that many takes a minute
# A string, even if the file ends in it: else it would be looked through anew from each quotation mark in it.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
# By how deep they stand, the values that a notebook's cells don't need: the state of widgets, and a cell's outputs.
_CUT = {1: b'"metadata"', 3: b'"outputs"'}


def without_outputs(path: Path) -> bytes:
    """A file of JSON, in an encoding that has ASCII in it, without a notebook's outputs and its own metadata.

    Of one that stops within them, what comes before is left. The file isn't loaded into memory.

    Raises:
        OSError: if it can't be read.
    """
    kept, end, depth, cut_at, key = [], 0, 0, 0, False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for token in _TOKEN.finditer(data):
            place, after = token.span()
            first = data[place : place + 1]
            if first in b"[{":
                depth += 1
                if key and not cut_at:
                    kept.append(data[end:place])
                    cut_at = depth
            elif first in b"]}":
                depth -= 1
                if cut_at and depth < cut_at:
                    kept.append(b"[]" if first == b"]" else b"{}")
                    end, cut_at = after, 0
            wanted = _CUT.get(depth)
            key = wanted is not None and after - place == len(wanted) and data[place:after] == wanted
        if not cut_at:
            kept.append(data[end:])
    return b"".join(kept)
