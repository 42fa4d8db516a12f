"""JupyterLab's settings for this course: `make lab` hands this file to `jupyter lab --config`."""

import os
import sys
from pathlib import Path

in_container = any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))
has_display = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ

c = get_config()

c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.app_settings_dir = str(Path(__file__).resolve().parent / "tools" / "jupyterlab")

c.ServerApp.allow_root = True  # in a container everyone is root
c.ServerApp.ip = "0.0.0.0" if in_container else "localhost"  # what a container publishes isn't its localhost
c.ServerApp.open_browser = has_display

# The two pages for nbgrader's exchange, a folder that a whole class shares; this course has none.
c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.course_list": False,
}

# On the terminal the address, errors, and nothing else.
c.ServerApp.log_level = "ERROR"
c.LabApp.log_level = "ERROR"
c.KernelManager.transport_encryption = "auto"  # without it each kernel prints a warning
