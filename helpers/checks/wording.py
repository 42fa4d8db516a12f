"""The fixed sentences of a report. What an exercise says of its properties and mistakes stands with the exercise."""

from collections.abc import Sequence

YOURS, WANTED = "yours", "wanted"
GIVEN = "given"
DETAILS = "The whole example, and how to repeat it"
REPEATED = "How to repeat it"
GALLERY = "on the course's site"
PRINTED = "While it was checked, your answer printed"
OPEN_POINTS = "The hidden tests' points are open until it is graded."


def blank(name: str, caller: str) -> str:
    waits = "" if name == caller else f"{caller} calls {name}. "
    return (
        f"{waits}{name} still ends in `raise NotImplementedError()`. Put your answer in that line's place, "
        "run the cell, and then this one again."
    )


def still_blank(name: str, caller: str) -> str:
    return f"{name} is still blank." if name == caller else f"{caller} waits for {name}."


def failing(failed: int, of: int) -> str:
    return f"{failed} of {of} properties {'fails' if failed == 1 else 'fail'}"


def holding(held: int, of: int) -> str:
    return f"every property holds ({of})" if held == of else f"{held} of {of} properties hold"


def headline(name: str, what: str) -> str:
    return f"{name}: {what}"


def and_another(title: str) -> str:
    return f"And besides: {title}"


def raises(error: str) -> str:
    return f"an error stops it: {error}"


def every_property(held: int, of: int, same: int) -> str:
    """The line over the folded list; so many of the others fail by what is told above."""
    line = f"All the properties: {held} of {of} hold" if held < of else f"What was shown to hold ({of} properties)"
    return line + (f", {same} more {'fails' if same == 1 else 'fail'} in the same way" if same else "")


def seed(number: int) -> str:
    return f"seed {number}: `check(…, seed={number})` draws the same inputs again"


def mistake_id(ids: Sequence[str]) -> str:
    return f"known as {', '.join(ids)}"


def raised_in(line: int, code: str) -> str:
    return f"in line {line} of your code: `{code}`"


def of_place(index: Sequence[int]) -> str:
    return f"at [{', '.join(map(str, index))}, …]"


def cut_out(what: str, first: int, last: int, of: int) -> str:
    return f"{what} {first} to {last} of {of}"


def points(here: str, of_here: str, in_lab: str, of_lab: str) -> str:
    return f"{here} of {of_here} points here, {in_lab} of {of_lab} in this lab"


def text_of(exercise: str, hint: str | None) -> str:
    """The exercise's text, or the one hint that helps, by its title: "Hint" if it is the only one."""
    if hint is None:
        return f"the text of `{exercise}` and its hints"
    return f"the hint of `{exercise}`" if hint == "Hint" else f"“{hint}” of `{exercise}`"


def notebook(lab: int) -> str:
    return f"notebook {lab:02d}"


def imported(name: str) -> str:
    return (
        f"Your answer uses the course's own `{name}`. When your lab is graded that isn't there, and an answer that "
        "needs it earns nothing: write your own."
    )


def section(number: int, heading: str) -> str:
    """A section of a notebook, by its heading without the number or letter."""
    return f"{notebook(number)}, “{heading.partition(' · ')[2] or heading}”"


def look_at(lab: int, task: str, theory: str, page: str | None) -> str:
    """`task` is the exercise's text or a hint, `theory` a notebook or a section, `page` the site's page."""
    pictured = f" A picture of this mistake: {page}" if page else ""
    return f"Where to look: {task}, in lab {lab}; and {theory}.{pictured}"


def _on_a_gpu(stops: bool) -> str:
    what = "this answer would stop" if stops else "the result would still lie on the CPU"
    return f"A remark that costs no points: on a GPU {what}."


def stays_on_cpu(line: int, code: str, stops: bool) -> str:
    """`code` makes a tensor on the default device."""
    return (
        f"{_on_a_gpu(stops)} Line {line} of your code, `{code}`, makes a tensor on the CPU, wherever the input is. "
        "With `device=…` you say where."
    )


def stays_as_attribute(name: str, stops: bool) -> str:
    """A module's attribute is a tensor, and neither a parameter nor a buffer."""
    return (
        f"{_on_a_gpu(stops)} When a module goes there, its parameters and buffers go along. The tensor `self.{name}` "
        "is neither, and stays on the CPU."
    )


def next_is(exercise: str) -> str:
    return f"next: {exercise}"


ALL_DONE = "nothing is left in this lab but what a person reads"
