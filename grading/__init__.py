"""What an instructor runs: `python -m grading autograde LAB`, `sample-class`, `mark`. nbgrader does the grading."""

import sys

# nbformat imports jsonschema, which builds a parser of web addresses with letters outside ASCII if it finds the package
# for it. That takes over a second in each process, for a format that no notebook has. With None here there is no such
# package.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # Python's import takes a None
