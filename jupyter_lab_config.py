"""JupyterLab's settings for this course: `tools/lab.py` hands them to it."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from helpers.lab_links import lead_to_labs, lead_to_own_copies

codespace = os.environ.get("CODESPACE_NAME")  # in GitHub's Codespaces
in_container = codespace is not None or any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))
has_display = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ

c = get_config()

c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
settings = str(Path(__file__).resolve().parent / "tools" / "jupyterlab")
c.LabApp.app_settings_dir = settings
c.LabApp.custom_css = True
c.ServerApp.tornado_settings = {"static_custom_path": [settings]}  # where custom.css is

c.ServerApp.allow_root = True  # in a container everyone is root
c.ServerApp.ip = "0.0.0.0" if in_container else "localhost"  # what a container publishes isn't its localhost
c.ServerApp.open_browser = has_display
if codespace is not None:
    # There the page has an address of its own, and what it asks arrives as if asked of localhost. Jupyter takes the one
    # for a stranger to the other and starts no kernel. So this page, and no other, is named.
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    c.ServerApp.allow_origin_pat = rf"https://{re.escape(codespace)}-\d+\.{re.escape(domain)}$"

c.ServerApp.jpserver_extensions = {
    # The two pages for nbgrader's exchange, a folder that a whole class shares; this course has none.
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.course_list": False,
    # Jupyter Notebook, another program in the place of JupyterLab, that nbgrader brings along.
    "notebook": False,
    "notebook_shim": False,
}


class Documents(AsyncLargeFileManager):
    """The server's files: notebooks are read in a form that JupyterLab doesn't change, and kept without a version.

    And what is read leads a student to the own copies of the labs, while the files lead everyone to labs/.

    JupyterLab puts its kernel's description of Python, down to the version, into every notebook that it opens. If the
    file has another, a notebook counts as changed that nobody touched: closing it asks whether to save it, and in two
    minutes it is saved without asking.
    """

    async def get(self, path: str, content: bool = True, **options: Any) -> dict:
        model = await super().get(path, content, **options)
        if is_for_python(model):
            from ipykernel.ipkernel import IPythonKernel  # takes half a second, and the page is there before

            model["content"]["metadata"]["language_info"] = IPythonKernel.language_info
            if path.strip("/").startswith("notebooks/"):
                lead_to_own_copies(model["content"], Path(self.root_dir))
        return model

    async def save(self, model: dict, path: str = "") -> dict:
        if is_for_python(model):
            model["content"]["metadata"]["language_info"] = {"name": "python"}
            if path.strip("/").startswith("notebooks/"):
                lead_to_labs(model["content"])
        return await super().save(model, path)


def is_for_python(model: dict) -> bool:
    """Whether it is a notebook, with its content, for this environment's Python kernel."""
    content = model.get("content") if model.get("type") == "notebook" else None
    return bool(content) and content.get("metadata", {}).get("kernelspec", {}).get("name") == "python3"


c.ServerApp.contents_manager_class = Documents

# On the terminal the address, errors, and nothing else.
c.ServerApp.log_level = "ERROR"
c.LabApp.log_level = "ERROR"
c.KernelManager.transport_encryption = "auto"  # without it each kernel prints a warning
