"""nbgrader's own names mapped to this course's folders: source is solutions/, release is labs/, the rest classroom/."""

import os
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
)
from nbgrader.server_extensions.formgrader import handlers

ROOT = Path(__file__).resolve().parent
# SQLite makes the gradebook's file, but not its folder; nbgrader warns on every page where there is no exchange.
(ROOT / "classroom" / "exchange").mkdir(parents=True, exist_ok=True)

c = get_config()

c.CourseDirectory.course_id = "attention-by-hand"
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
c.Exchange.root = str(ROOT / "classroom" / "exchange")
c.CourseDirectory.db_url = os.environ.get("GRADEBOOK_URL") or f"sqlite:///{ROOT / 'classroom' / 'gradebook.db'}"

# Students' code runs in a sandbox, and the tests outside of it; a lost or moved cell is put back before. The rest is as
# nbgrader has it. (What is named by a text is loaded when it is needed: it needs PyTorch.)
c.Autograde.sanitize_preprocessors = [
    "grading.rebuilding.Rebuild",
    ClearOutput,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    "grading.executing.ExecuteApart",
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    "grading.keeping_marks.SaveMarks",
    AssignLatePenalties,
    CheckCellMetadata,
    "grading.recording.Note",
]

c.ExportApp.plugin_class = "grading.exporters.SpreadsheetExporter"

c.ExecuteApart.results = str(ROOT / "classroom" / "results")

# Nothing that a student writes runs in its reader's browser, in Formgrader or in the feedback. (Nor does
# what a student's code shows: that is taken care of when it is executed.)
c.HTMLExporter.filters = {"markdown2html": "grading.harmless.markdown_to_plain_html"}
# These pages load nothing from the net: templates of ours, in the place of MathJax's, come before nbgrader's.
c.HTMLExporter.extra_template_basedirs = [str(ROOT / "grading" / "templates"), handlers.template_path]

# The rubric of a written answer stands in the read-only cell that asks the question: nbgrader puts that cell back when
# it grades, so the rubric is in view. (By default nbgrader expects mark schemes in "task" cells only.)
c.ClearMarkScheme.enforce_metadata = False
# The students' feedback shows neither the rubric nor the hidden tests.
c.GenerateFeedback.preprocessors = [
    "grading.feedback.GetMarks",
    ClearHiddenTests,
    ClearMarkScheme,
    "grading.feedback.Style",
]
c.KernelManager.transport_encryption = "auto"  # without it each kernel prints a warning to the instructor's terminal
