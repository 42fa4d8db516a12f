"""What the students of the sample class wrote: one module a lab, `STUDENTS[name][grade_id]` is a cell's source."""
