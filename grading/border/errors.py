"""Errors that cross: what the student's code raised is raised here again; a candidate that fails is an error itself."""

import builtins
import contextlib
import linecache
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import torch

from grading.border.messages import Failure
from grading.border.wire import short_text

_TORCH_ERRORS = {"LinAlgError": torch.linalg.LinAlgError, "OutOfMemoryError": torch.OutOfMemoryError}
# Errors that are raised under their name, but as another type: these end a loop of the test's in silence, and a group
# can't be made without its errors.
_NOT_RAISED = (StopIteration, StopAsyncIteration, BaseExceptionGroup)
_MADE: dict[tuple[str, type], type[BaseException]] = {}  # types of errors that only the student's code knows
_MOST_FRAMES = 10
_MOST_LINES = 5_000  # of a file that a traceback names
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class CandidateGone(Exception):
    """The student's process has died, hangs, or talks nonsense. The message says which."""


@contextlib.contextmanager
def proper_answer() -> Iterator[None]:
    """Whatever goes wrong with an answer that is read within is the other side's fault."""
    try:
        yield
    except (CandidateGone, AssertionError):
        raise
    except Exception as error:
        raise CandidateGone("the process that runs the student's code gave no proper answer") from error


def clean(text: Any) -> str:
    """Text from over there without what a terminal or a browser would act on."""
    return _CONTROL.sub("", short_text(text))


def exception_of(failure: Failure) -> BaseException:
    """The exception that was raised over there: of the same built-in type, with the same message and lines."""
    names = [short_text(name, 100) for name in failure.type[:100]] or ["Exception"]
    kind = next(filter(None, map(_known_error, names)), Exception)
    if not issubclass(kind, Exception | SystemExit) or issubclass(kind, _NOT_RAISED):
        kind = Exception
    if kind.__name__ != names[0]:
        name = names[0] if names[0].isidentifier() else "Exception"
        kind = _MADE.setdefault((name, kind), type(name, (kind,), {"__module__": "builtins"}))
    error = kind.__new__(kind)
    error.args = () if failure.bare else (_Verbatim(clean(failure.message)),)
    return error.with_traceback(_traceback(failure.frames))


class _Verbatim(str):
    """A message that is shown as it is, also by a KeyError, which shows its argument's `repr`."""

    def __repr__(self) -> str:
        """Called by `KeyError.__str__`."""
        return str(self)


def _known_error(name: str) -> type[BaseException] | None:
    known = _TORCH_ERRORS.get(name) or vars(builtins).get(name)
    return known if isinstance(known, type) and issubclass(known, BaseException) else None


def _traceback(frames: list[tuple[str, str, int | None, str]]) -> types.TracebackType | None:
    """A traceback with the names and lines of the student's frames, for reports to read."""
    found = None
    for name, filename, number, line in reversed(frames[-_MOST_FRAMES:]):
        number = number if number is not None and 0 < number < _MOST_LINES else 1
        place = f"<submission {abs(hash(short_text(filename, 500))):x}, {number}>"
        linecache.cache[place] = (1, None, [""] * (number - 1) + [clean(line)[:500] + "\n"], place)
        found = types.TracebackType(found, _frame(short_text(name, 100) or "?", place), 0, number)
    return found


def _frame(name: str, filename: str) -> types.FrameType:
    """A frame that a traceback shows as that of a function of this name, in this file."""
    code = compile("frame = getframe()", filename, "exec").replace(co_name=name)
    names: dict[str, Any] = {"getframe": sys._getframe}
    exec(code, names)
    return names["frame"]
