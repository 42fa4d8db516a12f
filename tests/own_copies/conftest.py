"""A course of one small lab for each test."""

import pytest

from tests.own_copies.course import release


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    release(tmp_path)
    return tmp_path
