"""A student's work over two releases of the course: in a copy of their own, carried over, and nothing lost."""

import json
import re

import pytest
from playwright.sync_api import expect

from grading.sample_answers import lab01_masked_softmax as answers
from helpers.lab_files import answers_in, own_path, read, released_path, text_of, write
from helpers.own_copies import main, prepare

pytestmark = pytest.mark.slow

LAB = "lab01_masked_softmax"
OWN, NEWER = f"my_labs/{LAB}/{LAB}.ipynb", f"my_labs/{LAB}/{LAB}.new.ipynb"
RIGHT = answers.STUDENTS["sample-ada"]


@pytest.fixture
def course(lab):
    """The course as JupyterLab shows it; afterwards its lab is what it was, and there is no copy but a new one."""
    released = released_path(lab.course, LAB)
    before = released.read_bytes()
    yield lab.course
    released.write_bytes(before)
    for path in own_path(lab.course, LAB).parent.glob("*.ipynb"):
        path.unlink()
    (lab.course / "my_labs" / "progress.json").unlink(missing_ok=True)
    prepare(lab.course)


def save(lab):
    with lab.page.expect_response(lambda response: response.request.method == "PUT"):
        lab.page.keyboard.press("Control+S")


def test_answers_live_on_through_a_newer_version_of_the_lab(lab, course):
    lab.open(OWN)  # `make lab` has made it
    lab.run("imports")
    lab.write("length-mask", RIGHT["length_mask"])
    expect(lab.run("test-length-mask")).to_contain_text("every property holds")
    save(lab)
    lab.screen.keep("first_release")
    progress = json.loads((course / "my_labs" / "progress.json").read_text())
    assert progress[LAB]["length_mask"]["share"] == 1

    release = read(released_path(course, LAB))
    release["cells"][0]["source"] = ["# Lab 1 · Masked softmax, second edition\n"]
    write(released_path(course, LAB), release)
    first = (course / OWN).read_bytes()
    prepare(course)  # as `make lab` does on the next day
    assert (course / OWN).read_bytes() == first

    lab.open(NEWER)
    expect(lab.page.get_by_role("heading", name="second edition")).to_be_visible()
    expect(lab.cell("length-mask")).to_contain_text("def length_mask")
    lab.run("imports")
    lab.run("length-mask")
    expect(lab.run("test-length-mask")).to_contain_text("every property holds")
    lab.screen.keep("second_release")
    save(lab)
    lab.stop_kernels()

    main(["take", "1"], course)
    assert "second edition" in text_of(read(course / OWN)["cells"][0])
    assert (course / OWN.replace(".ipynb", ".1.ipynb")).read_bytes() == first


def test_the_third_failed_try_folds_a_way_out_into_the_report(lab, course):
    lab.open(OWN)
    lab.run("imports")
    lab.write("length-mask", "def length_mask(valid_lens, max_len):\n    return valid_lens")
    stuck = lab.cell("test-length-mask").locator("details", has_text="helpers.reveal lab01 length_mask")
    for tries in (0, 0, 1):
        lab.run("test-length-mask")
        expect(stuck).to_have_count(tries)
    command = stuck.locator("code")
    expect(command).to_be_hidden()
    stuck.locator("summary").click()
    expect(command).to_have_text("!python -m helpers.reveal lab01 length_mask")
    lab.show("test-length-mask")
    lab.screen.keep("stuck")

    lab.write("masked-mean", command.inner_text())  # any code cell will do
    expect(lab.outputs("masked-mean")).to_contain_text("Hint 1")
    assert re.search(r"same command again shows\s+a right answer", lab.outputs("masked-mean").inner_text())


def test_who_writes_in_labs_is_told_where_to_write(lab, course):
    lab.open(f"labs/{LAB}/{LAB}.ipynb")
    lab.run("imports")
    lab.write("length-mask", RIGHT["length_mask"])
    report = lab.run("test-length-mask")
    expect(report).to_contain_text("You are writing in labs/, which is the course's")
    save(lab)
    prepare(course)
    main(["move", "1"], course)
    moved = answers_in(read(course / OWN))
    assert text_of(moved["length_mask"]) == RIGHT["length_mask"].strip()


def test_a_notebook_leads_to_the_own_copy_of_its_lab_while_its_file_leads_to_labs(lab):
    path, link = "notebooks/01_masked_softmax.ipynb", f"labs/{LAB}/{LAB}.ipynb"
    before = (lab.course / path).read_bytes()
    assert f"../{link}".encode() in before and b"my_labs" not in before
    lab.open(path)
    links = lab.page.locator(f"{lab.NOTEBOOK} a[href*='{link}']")
    expect(links.first).to_have_attribute("href", re.compile(f"/my_{link}"))
    links.first.click()
    expect(lab.page.get_by_role("tab", name=f"{LAB}.ipynb", exact=True)).to_be_visible()
    lab.page.get_by_role("tab", name=path.split("/")[1], exact=True).click()
    save(lab)
    assert (lab.course / path).read_bytes() == before
