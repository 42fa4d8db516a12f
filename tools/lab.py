"""Start JupyterLab with the course's settings, as `make lab` does: python -m tools.lab [OPTION OF JUPYTER LAB...]."""

import sys
from pathlib import Path

# JupyterLab imports jsonschema, which builds a parser of web addresses with letters outside ASCII if it finds the
# package for it. That is half of the time to start, for a format that is never asked for. With None here there is no
# such package.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # Python's import takes a None, typeshed doesn't know

COURSE = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    from helpers.own_copies import prepare

    prepare(COURSE)

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([f"--config={COURSE / 'jupyter_lab_config.py'}", *sys.argv[1:]])
