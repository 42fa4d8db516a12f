"""Gives the site's pictures palettes, those that the build draws included."""

from pathlib import Path

from sphinx.application import Sphinx

from tools.palettes import with_palette


def use_palettes(app: Sphinx, exception: Exception | None) -> None:
    """Give every picture that has none a palette of its own colours."""
    if exception is None:
        for path in (Path(app.outdir) / "_images").glob("*.png"):
            path.write_bytes(with_palette(path.read_bytes()))


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", use_palettes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
