"""Run notebooks from top to bottom and keep their outputs: python tools/execute_notebooks.py NOTEBOOK..."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in map(Path, sys.argv[1:]):
    print(path, flush=True)
    notebook = nbformat.read(path, as_version=4)
    # No times and no Python version in the file: they would differ from run to run and from machine to machine.
    # A progress bar's refreshes are kept as they end up on the screen, not one after the other.
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=where)
    client.execute()
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)
