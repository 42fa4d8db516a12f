"""Every test runs with the shapes in `helpers`' signatures checked, but for those that ask for `as_a_user`."""

import pkgutil
from pathlib import Path

import jaxtyping
import pytest

HELPERS = Path(__file__).parents[1] / "helpers"

# The checks are left out: they have no shapes in their signatures, and are timed.
jaxtyping.install_import_hook(
    [f"helpers.{module.name}" for module in pkgutil.iter_modules([str(HELPERS)]) if module.name != "checks"],
    "beartype.beartype",
)


@pytest.fixture
def as_a_user():
    """Turn the shape checks off, as they are for a user: bad input must meet the function's own words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
