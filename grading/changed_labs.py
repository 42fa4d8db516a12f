"""A lab whose cells change after grading began: the gradebook follows, and every mark of a cell that stays is kept.

nbgrader refuses such a lab, and its only way out is to delete the submissions, marks by hand and all.
"""

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry, Notebook
from nbgrader.utils import is_grade, is_locked, is_solution


def follow(gradebook: Gradebook, lab: str, source: NotebookNode) -> None:
    """Take the cells that the lab no longer has out of the gradebook, with their marks, and the new ones in."""
    try:
        notebook = gradebook.find_notebook(lab, lab)
    except MissingEntry:
        return  # a new lab
    if not notebook.submissions:
        return  # nbgrader does it by itself
    named = {cell.metadata.nbgrader.grade_id: cell for cell in source.cells if cell.metadata.get("nbgrader")}
    graded = {name: cell for name, cell in named.items() if is_grade(cell)}
    solutions = {name: cell for name, cell in named.items() if is_solution(cell)}
    kept = {name for name, cell in named.items() if is_grade(cell) or is_solution(cell) or is_locked(cell)}
    _take_out(gradebook, notebook, set(graded), set(solutions), kept)
    for name in graded.keys() - {cell.name for cell in notebook.grade_cells}:
        added = gradebook.add_grade_cell(
            name, lab, lab, max_score=float(graded[name].metadata.nbgrader.points), cell_type=graded[name].cell_type
        )
        gradebook.db.add_all(Grade(cell_id=added.id, notebook=submission) for submission in notebook.submissions)
    for name in solutions.keys() - {cell.name for cell in notebook.solution_cells}:
        cell = gradebook.add_solution_cell(name, lab, lab)
        gradebook.db.add_all(Comment(cell_id=cell.id, notebook=submission) for submission in notebook.submissions)
    for name in kept - {cell.name for cell in notebook.source_cells}:
        gradebook.add_source_cell(name, lab, lab, cell_type=named[name].cell_type)
    gradebook.db.commit()


def _take_out(gradebook: Gradebook, notebook: Notebook, graded: set, solutions: set, kept: set) -> None:
    gone = [cell for cell in notebook.grade_cells if cell.name not in graded]
    gone += [cell for cell in notebook.solution_cells if cell.name not in solutions]
    for cell in gone:
        for each in (*cell.grades, *cell.comments):
            gradebook.db.delete(each)
        gradebook.db.flush()
        gradebook.db.delete(cell)
    for cell in [cell for cell in notebook.source_cells if cell.name not in kept]:
        gradebook.db.delete(cell)
    gradebook.db.commit()
    gradebook.db.refresh(notebook)
