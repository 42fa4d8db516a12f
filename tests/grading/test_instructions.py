"""What the README and docs/grading.md tell an instructor to type exists."""

import re
from importlib import import_module

import pytest

from grading.__main__ import main
from tests.grading.classroom import ROOT

TEXT = "".join((ROOT / file).read_text(encoding="utf-8") for file in ("README.md", "docs/grading.md"))


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m grading ([a-z-]+)", TEXT))))
def test_every_command_is_there(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0


@pytest.mark.parametrize("exporter", sorted(set(re.findall(r"--exporter=([\w.]+)", TEXT))))
def test_every_exporter_is_there_with_its_settings(exporter):
    module, _, name = exporter.rpartition(".")
    settings = getattr(import_module(module), name).class_trait_names(config=True)
    assert set(re.findall(rf"--{name}\.(\w+)", TEXT)) <= set(settings)
