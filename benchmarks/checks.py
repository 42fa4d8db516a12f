"""How long the checks take: the import next to PyTorch's own, and each check on right and on wrong answers.

Run it with `python benchmarks/checks.py`. Seconds depend on the machine; the ratios to `import torch` hardly do.
"""

import contextlib
import io
import subprocess
import sys
import time
from statistics import median

REPEATS = 5


def seconds_to_import(*modules: str) -> float:
    """Median time of a fresh process that imports the modules in turn, for the last one."""
    first, last = "; ".join(f"import {module}" for module in modules[:-1]) or "pass", modules[-1]
    code = f"{first}\nimport time; t = time.perf_counter(); import {last}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(REPEATS)
    ]
    return median(float(run.stdout) for run in runs)


def seconds_to_check(exercise, answer) -> float:
    """Median time of a whole `check`, report included."""
    from helpers.checks import CheckFailed, check

    times = []
    for seed in range(REPEATS):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(CheckFailed):
            check(answer, exercise.name, seed=seed)
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    torch_alone = seconds_to_import("torch")
    checks = seconds_to_import("torch", "helpers.checks")
    print(f"import torch           {torch_alone:6.3f} s")
    print(f"import helpers.checks  {checks:6.3f} s more ({checks / torch_alone:.1%} of torch's)")
    from helpers.checks.catalogue import all_exercises

    for exercise in all_exercises().values():
        wrong = {m.id: seconds_to_check(exercise, each) for m in exercise.misconceptions for each in m.wrong}
        slowest = max(wrong, key=wrong.get)
        print(f"check({exercise.name}): at most {wrong[slowest]:.3f} s, for {slowest}")


if __name__ == "__main__":
    main()
