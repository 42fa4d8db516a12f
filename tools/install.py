"""Make the course's environment and say how far it is: python tools/install.py ENVIRONMENT [--dev].

ENVIRONMENT is a virtual environment, made if it isn't there, or an active conda environment. `make` calls this before
everything else; it needs only Python's standard library. Stopped half-way, it goes on from there when started again.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it may well be started with an older one
    sys.exit(
        "This course needs Python 3.11 or newer; {} is {}.{}.\nIf a newer one is installed under another name, "
        "say which: make lab PYTHON=python3.11".format(sys.executable, *sys.version_info)
    )

import argparse
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the course's environment.")
    parser.add_argument("environment", type=Path)
    parser.add_argument("--dev", action="store_true", help="with what the tests and the formatter need")
    arguments = parser.parse_args()
    environment = arguments.environment.absolute()
    in_conda = (environment / "conda-meta").is_dir()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"folder": str(ROOT), "dependencies": project["dependencies"]}
    if arguments.dev:
        wanted["dev"] = project["optional-dependencies"]["dev"]
    record = environment / "installed.json"
    python = environment / "bin" / "python"
    installed = json.loads(record.read_text()) if record.exists() and python.exists() else {}
    if installed | wanted == installed:
        return

    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
    steps = []
    if not in_conda:
        moved = installed.get("folder", str(ROOT)) != str(ROOT)  # its commands carry the old folder's name
        if moved or not has_pip(python):
            check_venv()
            shutil.rmtree(environment, ignore_errors=True)
            steps.append((f"Virtual environment {environment.name}", [sys.executable, "-m", "venv", str(environment)]))
        torch = next(dependency for dependency in project["dependencies"] if dependency.startswith("torch=="))
        steps.append((f"PyTorch {torch.removeprefix('torch==')}", [*pip, torch]))
    steps.append(("JupyterLab, nbgrader and the rest", [*pip, "--editable", ".[dev]" if arguments.dev else "."]))

    environment.mkdir(exist_ok=True)
    started = time.monotonic()
    for number, (title, command) in enumerate(steps, start=1):
        if title.startswith("PyTorch"):
            warn_of_cuda_build(python, torch)
        run(f"[{number}/{len(steps)}] {title}", command, environment)
    record.write_text(json.dumps(wanted, indent=1))
    print(f"The environment is ready, after {time.monotonic() - started:.0f} s.", flush=True)


def has_pip(python: Path) -> bool:
    command = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(command, capture_output=True).returncode == 0


def check_venv() -> None:
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        version = "{}.{}".format(*sys.version_info)
        sys.exit(
            f"{sys.executable} can't make virtual environments: its venv module isn't installed.\n"
            f"On Debian and Ubuntu: sudo apt install python{version}-venv. Then run make again."
        )


def warn_of_cuda_build(python: Path, torch: str) -> None:
    """Say so before gigabytes for an NVIDIA GPU are fetched to a machine that has none."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("nvidia-smi"):
        return
    if list(python.parent.parent.glob("lib/python*/site-packages/torch-*.dist-info")):
        return
    # pip's default is the CUDA build; a CPU build that pip can see is called 2.13.0+cpu, and pip prefers it.
    command = [str(python), "-m", "pip", "index", "versions", "torch"]
    versions = subprocess.run(command, capture_output=True, text=True).stdout
    version = torch.removeprefix("torch==")
    if version not in versions or f"{version}+cpu" in versions:
        return
    print(
        "pip is about to fetch PyTorch's build for NVIDIA GPUs, some 3 GB; this machine has no such GPU.\n"
        "Two ways to the CPU build, which is a tenth of that:\n"
        "  conda env create -f environment.yml && conda activate attention-by-hand\n"
        "  export PIP_EXTRA_INDEX_URL=...   the address that pytorch.org/get-started/locally shows for Linux, Pip, CPU\n"
        "and then make again.",
        flush=True,
    )
    if sys.stdout.isatty():
        print("Going on with the large one in 15 seconds; Ctrl-C stops.", flush=True)
        time.sleep(15)


def run(title: str, command: list[str], environment: Path) -> None:
    """Run one step, its output in install.log, one line on the screen saying how far it is."""
    log = environment / "install.log"
    downloads = environment / "downloads"
    downloads.mkdir(exist_ok=True)
    before = count_packages(environment)
    started = shown = time.monotonic()
    show(title)
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"TMPDIR": str(downloads)}, stdout=output, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            time.sleep(0.2)
            now = time.monotonic()
            if now - shown > (0.5 if sys.stdout.isatty() else 15):
                show(f"{title}: {progress(log, downloads, environment, before)}{now - started:.0f} s")
                shown = now
    shutil.rmtree(downloads, ignore_errors=True)
    if process.returncode != 0:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        show(f"{title}: failed\n")
        sys.exit(
            "\n".join(["", *lines[-8:], ""])
            + f"\nAll that was printed is in {log}.\n"
            + "Without a connection to the internet? Then connect and run the same command again:\n"
            + "what has been installed so far stays. `make clean` starts from nothing."
        )
    show(f"{title}: done, {time.monotonic() - started:.0f} s\n")


def progress(log: Path, downloads: Path, environment: Path, before: int) -> str:
    """What pip's log and the files tell: "" before pip has found anything."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if installing := re.search(r"^Installing collected packages: (.+)", text, re.MULTILINE):
        total = installing[1].count(",") + 1
        return f"{count_packages(environment) - before} of {total} packages installed, "
    found = len(re.findall(r"^Collecting ", text, re.MULTILINE))
    size = 0
    with contextlib.suppress(FileNotFoundError):  # pip moves its files about
        size = sum(file.stat().st_size for file in downloads.rglob("*.whl"))
    return f"{found} packages found, {size / 1e6:.0f} MB, " if found else ""


def count_packages(environment: Path) -> int:
    return len(list(environment.glob("lib/python*/site-packages/*.dist-info")))


def show(line: str) -> None:
    """Redraw the line on a terminal; elsewhere add one."""
    if sys.stdout.isatty():
        print(f"\r{line}\x1b[K", end="", flush=True)
    else:
        print(line.rstrip("\n"), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
