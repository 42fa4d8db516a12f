"""Make the course's environment, and say how far it is: python tools/install.py ENVIRONMENT [EXTRA...].

ENVIRONMENT is the folder of a virtual environment, made if it isn't there, or of an active conda environment; --grading
adds what only instructors need, --book what the site needs, --dev what the tests need. The versions are those of
constraints.txt, except in a conda environment: there environment.yml has chosen them. `make` runs this before
everything else, so it uses nothing but Python's standard library. When there is nothing to do it does nothing; stopped
half-way, it goes on from there. An old Python must be able to read it, to be told that it is too old: no syntax here is
younger than Python 3.7.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it may well be started by an older one
    sys.exit(
        "This course needs Python 3.11 or newer; {} is {}.{}.\n"
        "If you have a newer one under another name, say so: make lab PYTHON=python3.11".format(
            sys.executable, *sys.version_info
        )
    )

import contextlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
FOR_READERS = ["notebooks", "jupyterlab"]  # the extras that everyone gets
WINDOWS = sys.platform == "win32"


def main(environment: Path, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = CONSTRAINTS.read_text(encoding="utf-8")
    extras = [*FOR_READERS, *extras]
    wanted = {"folder": str(ROOT), "dependencies": project["dependencies"], "constraints": pinned}
    wanted |= {extra: project["optional-dependencies"][extra] for extra in extras}
    python, record = program(environment), environment / "installed.json"
    installed = json.loads(record.read_text(encoding="utf-8")) if python.exists() and record.exists() else {}
    if installed | wanted == installed:
        return

    started = time.monotonic()
    torch = next(line for line in pinned.splitlines() if line.startswith("torch=="))
    course = f".[{','.join(extras)}]"
    if (environment / "conda-meta").is_dir():
        pip_install("[1/1] The course and what it needs", python, "--editable", course)
    else:
        moved = installed.get("folder", str(ROOT)) != str(ROOT)  # the commands in it carry the old folder's name
        if moved or not has_pip(python):
            make_virtual_environment("[1/3] Virtual environment", environment)
            installed = {}
        warn_of_cuda_build(python, torch)
        pip_install(f"[2/3] PyTorch {torch.removeprefix('torch==')}", python, torch)
        pip_install(
            "[3/3] JupyterLab, nbgrader and the rest", python, "--constraint", str(CONSTRAINTS), "--editable", course
        )
    # What other extras brought is still there: who goes back to them needs neither pip nor the internet.
    record.write_text(json.dumps(installed | wanted, indent=1), encoding="utf-8")
    print(f"The environment is ready, after {time.monotonic() - started:.0f} s.", flush=True)


def program(environment: Path) -> Path:
    """The environment's Python."""
    return environment / ("Scripts/python.exe" if WINDOWS else "bin/python")


def site_packages(environment: Path) -> list[Path]:
    """The folder of what is installed; none before there is an environment."""
    return list(environment.glob("Lib/site-packages" if WINDOWS else "lib/python*/site-packages"))


def has_pip(python: Path) -> bool:
    return python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


def make_virtual_environment(title: str, environment: Path) -> None:
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit(
            f"{sys.executable} can't make virtual environments: its venv module isn't installed.\n"
            "On Debian and Ubuntu: sudo apt install python{}.{}-venv. Then run make again.".format(*sys.version_info)
        )
    shutil.rmtree(environment, ignore_errors=True)
    run(title, environment, [sys.executable, "-m", "venv", str(environment)])


def pip_install(title: str, python: Path, *requirements: str) -> None:
    run(title, python.parent.parent, [str(python), "-m", "pip", "install", *requirements])


def warn_of_cuda_build(python: Path, torch: str) -> None:
    """Say so before gigabytes for an NVIDIA GPU are fetched to a machine that has none."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("nvidia-smi"):
        return
    if any(list(folder.glob("torch-*.dist-info")) for folder in site_packages(python.parent.parent)):
        return
    # By default pip finds the CUDA build only. Where it finds the CPU build too, called 2.13.0+cpu, it takes that.
    version = torch.removeprefix("torch==")
    command = [str(python), "-m", "pip", "index", "versions", "torch"]
    found = subprocess.run(command, capture_output=True, text=True).stdout
    if version not in found or f"{version}+cpu" in found:
        return
    print(
        "pip is about to fetch PyTorch's build for NVIDIA GPUs, nearly 3 GB; this machine has no such GPU.\n"
        "Two ways to the CPU build, which is a tenth of that:\n"
        "  conda env create -f environment.yml && conda activate attention-by-hand\n"
        "  export PIP_EXTRA_INDEX_URL=...   with the address that pytorch.org/get-started/locally shows for the CPU\n"
        "and then make again.",
        flush=True,
    )
    if sys.stdout.isatty():
        print("Going on with the large one in 15 seconds; Ctrl-C stops.", flush=True)
        time.sleep(15)


def run(title: str, environment: Path, command: list[str]) -> None:
    """Run one step: its output goes to install.log, one line on the screen says how far it is."""
    log, downloads = environment / "install.log", environment / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    packages_before = count_packages(environment)
    started = shown = time.monotonic()
    show(title)
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"TMPDIR": str(downloads)}, stdout=output, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            time.sleep(0.1)
            if time.monotonic() - shown > (0.5 if sys.stdout.isatty() else 15):
                shown = time.monotonic()
                show(f"{title}: {progress(log, downloads, environment, packages_before)}{shown - started:.0f} s")
    shutil.rmtree(downloads, ignore_errors=True)
    if process.returncode != 0:
        show(f"{title}: failed\n")
        last_lines = [line[:160] for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line][
            -6:
        ]
        sys.exit(
            "\n".join(["", *last_lines, ""])
            + f"\nThe whole story is in {log}.\n"
            + "If the internet was out of reach, run the same command again: what is installed already stays.\n"
            + "If it fails again, `make clean` and start anew."
        )
    show(f"{title}: done, {time.monotonic() - started:.0f} s\n")


def progress(log: Path, downloads: Path, environment: Path, packages_before: int) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    installing = re.search(r"^Installing collected packages: (.+)", text, re.MULTILINE)
    if installing:
        total = installing[1].count(",") + 1
        return f"{count_packages(environment) - packages_before} of {total} packages installed, "
    found = len(re.findall(r"^Collecting ", text, re.MULTILINE))
    size = 0
    with contextlib.suppress(FileNotFoundError):  # pip moves its files about
        size = sum(file.stat().st_size for file in downloads.rglob("*.whl"))
    return f"{found} packages found, {size / 1e6:.0f} MB, " if found else ""


def count_packages(environment: Path) -> int:
    return sum(len(list(folder.glob("*.dist-info"))) for folder in site_packages(environment))


def show(line: str) -> None:
    """Redraw the line on a terminal; add one elsewhere."""
    if sys.stdout.isatty():
        print(f"\r{line}\x1b[K", end="", flush=True)
    else:
        print(line.rstrip("\n"), flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).absolute(), [word.removeprefix("--") for word in sys.argv[2:]])
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
