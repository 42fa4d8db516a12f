"""What an instructor runs: `python -m grading autograde LAB`, `sample-class`, `mark`. nbgrader does the grading."""
