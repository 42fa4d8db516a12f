"""Judge answers that lie in files, such as those that a test bank of somebody else's is made of.

python -m tools.answer_files FOLDER [WORD]

An answer is a whole solution cell in `FOLDER/labNN/<exercise>/right_….py` or `wrong_….py`; its first line is a comment
that says what it does. With a WORD only those whose path has it are judged. What is judged wrongly is marked.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import examine
from tools.mutants import Lab, as_when_graded

SEEDS = range(3)


@dataclass(frozen=True)
class AnswerFile:
    """A solution cell in a file: what it answers, whether it is right, and what its first line says."""

    path: Path

    @property
    def exercise(self) -> str:
        return self.path.parent.name

    @property
    def is_right(self) -> bool:
        return self.path.name.startswith("right")

    @property
    def says(self) -> str:
        return self.path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


@dataclass(frozen=True)
class Verdict:
    """What the checks make of an answer, seed by seed: the texts of the properties that fail, and the name given."""

    failures: tuple[tuple[str, ...], ...]
    named: tuple[str, ...]  # the misconceptions' ids; empty where there is no name

    @property
    def accepted(self) -> bool:
        return not any(self.failures)

    @property
    def rejected(self) -> bool:
        return all(self.failures)


def answer_files(folder: Path, word: str = "") -> Iterator[AnswerFile]:
    for path in sorted(folder.glob("lab*/*/*.py")):
        if word in str(path) and path.name.startswith(("right", "wrong")):
            yield AnswerFile(path)


def judge(file: AnswerFile) -> Verdict:
    """Hold an answer against the checks of its exercise, as when it is graded, with several seeds.

    Raises:
        ValueError: if there is no such exercise.
    """
    exercise = find_exercise(file.exercise)
    lab = next(path for path in _labs() if path.startswith(file.path.parent.parent.name))
    source = file.path.read_text(encoding="utf-8")
    names = {"torch": torch, "math": math, "nn": torch.nn, "Tensor": torch.Tensor, "__name__": "__lab__"}
    found = []
    with as_when_graded():
        for part in Lab(lab).given:
            exec(compile(part, f"<{lab}>", "exec"), names)
        exec(compile(source, f"<{file.path.name}>", "exec"), names)
        for seed in SEEDS:
            found.append(examine(names[exercise.owner or exercise.name], exercise, seed))
    return Verdict(
        tuple(tuple(each.property.text for each in findings if each.problem is not None) for findings, _ in found),
        tuple(" + ".join(misconception.id for misconception in named) for _, named in found),
    )


def _labs() -> list[str]:
    from tools.hidden_tests import SOLUTIONS

    return sorted(path.name for path in SOLUTIONS.iterdir() if path.is_dir())


def main(folder: Path, word: str = "") -> None:
    wrongly = total = 0
    for file in answer_files(folder, word):
        verdict = judge(file)
        well = verdict.accepted if file.is_right else verdict.rejected
        total, wrongly = total + 1, wrongly + (not well)
        print(f"{' ' if well else '!'} {file.path.relative_to(folder)}: {file.says}")
        print(f"      named {' / '.join(sorted({name or 'nothing' for name in verdict.named}))}")
        for text in dict.fromkeys(text for failures in verdict.failures for text in failures):
            print(f"      fails: {text}")
    print(f"{wrongly} of {total} judged wrongly")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
