"""Reports link a mistake to its picture on the course's site, if the course says where that is."""

import pytest
from docutils.nodes import make_id

from grading.mistakes import _label
from helpers import site
from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.engine import examine
from helpers.checks.report import Report
from tests.checks.bank import all_banks

PAGE = "https://example.org/attention/mistakes/lab01_masked_softmax.html#length-mask-off-by-one"


@pytest.fixture
def published(tmp_path, monkeypatch):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project.urls]\nDocumentation = "https://example.org/attention/"\n')
    monkeypatch.setattr(site, "PROJECT", project)


def report(named):
    answer = next(answer for answer in all_banks()["length_mask"] if answer.named == named)
    exercise = find_exercise("length_mask")
    return Report(exercise, 0, *examine(answer.function, exercise, seed=0), "")


def test_a_report_and_the_class_report_lead_to_the_mistake_on_the_site(published):
    off_by_one = report("off-by-one")
    assert f'<a href="{PAGE}">on the course' in off_by_one.html
    assert PAGE in off_by_one.text
    assert _label(off_by_one.record).page == PAGE


def test_without_a_site_a_report_leads_nowhere(tmp_path, monkeypatch):
    assert "http" not in report("off-by-one").html + report("off-by-one").text
    monkeypatch.setattr(site, "PROJECT", tmp_path / "none")
    assert site.address_of_mistake("lab01_masked_softmax", "length_mask", "off-by-one") is None


def test_every_mistake_has_the_anchor_that_the_site_gives_it(published):
    for name in exercise_names():
        for misconception in find_exercise(name).misconceptions:
            address = site.address_of_mistake(lab_of(name), name, misconception.id)
            assert address.endswith(f"#{make_id(f'{name}-{misconception.id}')}")
