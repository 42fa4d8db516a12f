"""An instructor's way through Formgrader, in JupyterLab: from what was handed in to a page of feedback."""

import pytest
from playwright.sync_api import expect

from grading.sample_answers import lab01_masked_softmax as answers
from tests.grading.classroom import LAB, ROOT, filled_in, hand_in, scores
from tests.test_labs_in_step import files_below

pytestmark = [pytest.mark.slow, pytest.mark.needs("bubblewrap")]

# In stock nbgrader the test of this answer would do nothing, and earn its points.
CHEAT = answers.MASKED_MEAN_OVER_THE_PADDED_LENGTH + "\n\ncheck = print\n"
MISTAKEN = answers.STUDENTS["sample-ada"] | {
    "masked_softmax": answers.MASKED_SOFTMAX_MASKED_AFTERWARDS,
    "masked_mean": CHEAT,
}
MISTAKE = "masked_softmax: the mask comes after the softmax"
COMMENT = "Which sentences suffer most?"


@pytest.fixture
def formgrader(lab):
    """Formgrader in JupyterLab, without the file browser beside it: it is made for a wide window."""
    hand_in(lab.course, "mistaken", filled_in(MISTAKEN))
    hand_in(lab.course, "blank", filled_in({}))
    lab.open("notebooks/00_start_here.ipynb")
    lab.menu("Nbgrader", "Formgrader")
    lab.page.keyboard.press("Control+B")
    return lab.page.frame_locator("iframe")


def test_an_instructor_grades_in_formgrader_and_a_student_reads_why(lab, formgrader):
    labs = formgrader.locator("#main-table tr")
    expect(labs.filter(has_text="lab0")).to_have_count(9)
    lab.screen.keep("labs")

    # The first time: the gradebook has to know the lab. The students' copy is written anew, and stays as it was.
    labs.filter(has_text=LAB).locator(".assign a").click()
    wait_for_success(formgrader)
    assert files_below(lab.course / "labs" / LAB) == files_below(ROOT / "labs" / LAB)

    labs.filter(has_text=LAB).locator(".num-submissions a").click()
    mistaken, blank = (
        formgrader.locator("#main-table tr").filter(has_text=student) for student in ("mistaken", "blank")
    )
    for submission in (mistaken, blank):
        expect(submission.locator(".status")).to_have_text("needs autograding")
    lab.screen.keep("submissions")

    mistaken.locator(".autograde a").click()
    wait_for_success(formgrader)
    expect(mistaken.locator(".status")).to_have_text("needs manual grading")
    lab.screen.keep("autograded")
    assert scores(lab.course, "mistaken") == {
        "test_length_mask": 3,
        "test_masked_softmax": 0,
        "test_masked_softmax_hidden": 0,
        "test_breaking_input": 3,
        "test_masked_mean": 0,  # the student's `check` isn't asked
        "written_masking": 0,
    }

    formgrader.get_by_role("link", name="Manual Grading").click()
    for _ in ("the lab", "its notebook"):
        formgrader.locator("#main-table").get_by_role("link", name=LAB).click()
    expect(formgrader.locator("#main-table").get_by_role("link", name="Submission #1")).to_be_visible()
    lab.screen.keep("to be marked by hand")
    formgrader.locator("#main-table").get_by_role("link", name="Submission #1").click()
    report = formgrader.get_by_text(MISTAKE, exact=True)  # the headline, not the error under it
    expect(report).to_be_visible()
    report.scroll_into_view_if_needed()
    lab.screen.keep("report")
    rubric = formgrader.get_by_text("Rubric (4 points)")
    rubric.evaluate("element => element.scrollIntoView()")
    lab.screen.keep("rubric")
    score = formgrader.locator("input#written_masking")
    score.fill("3")
    with lab.page.expect_response(lambda response: "/api/grade/" in response.url):
        score.press("Tab")
    formgrader.locator("textarea#written_masking-comment").fill(COMMENT)
    with lab.page.expect_response(lambda response: "/api/comment/" in response.url):
        formgrader.locator("textarea#written_masking-comment").press("Tab")
    score.evaluate("element => element.scrollIntoView({block: 'center'})")
    lab.screen.keep("marked by hand")
    assert scores(lab.course, "mistaken")["written_masking"] == 3

    formgrader.get_by_role("link", name="Manual Grading").first.click()
    formgrader.get_by_role("link", name="Manage Assignments").click()
    labs.filter(has_text=LAB).locator(".num-submissions a").click()
    expect(mistaken.locator(".status")).to_have_text("graded")
    mistaken.locator(".generate-feedback a").click()
    wait_for_success(formgrader)

    lab.page.goto((lab.course / "classroom" / "feedback" / "mistaken" / LAB / f"{LAB}.html").as_uri())
    assert lab.page.locator("td").first.evaluate("cell => parseFloat(getComputedStyle(cell).paddingLeft)") > 2
    lab.screen.keep("feedback")
    lab.page.get_by_text(MISTAKE, exact=True).evaluate("element => element.scrollIntoView({block: 'center'})")
    lab.screen.keep("feedback on the mistake")
    lab.page.get_by_text(COMMENT).evaluate("element => element.scrollIntoView({block: 'center'})")
    lab.screen.keep("feedback by hand")
    expect(lab.page.get_by_text("Rubric (4 points)")).to_have_count(0)


def wait_for_success(formgrader):
    dialog = formgrader.locator(".modal-content")
    expect(dialog).to_contain_text("Success")
    dialog.get_by_role("button", name="OK").click()
    expect(dialog).to_be_hidden()
