# An activated conda environment of this course is used as it is; otherwise `make` keeps its own in .venv.
PYTHON ?= python3
ENVIRONMENT := $(if $(filter attention-by-hand,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX),$(CURDIR)/.venv)
RUN := PATH="$(ENVIRONMENT)/bin:$$PATH"

.PHONY: help lab test labs notebooks grade bench book format clean environment book-environment grading-environment development-environment

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: environment ## open the course in JupyterLab (the first time: install it)
	@echo "Starting JupyterLab; Ctrl-C stops it."
	@$(RUN) python -m jupyterlab --config=jupyter_lab_config.py

test: development-environment ## run every test
	@$(RUN) python -m pytest --numprocesses=auto --maxprocesses=4 tests --nbval notebooks

labs: environment ## write the students' copies in labs/ anew from solutions/
	@ls solutions | $(RUN) xargs -n 1 python -m nbgrader generate_assignment --force --no-db

notebooks: environment ## run every notebook and keep its outputs
	@$(RUN) python tools/execute_notebooks.py notebooks/*.ipynb

grade: grading-environment ## grade what lies in classroom/submitted: make grade LAB=lab01_masked_softmax
	@$(RUN) python -m grading autograde $(LAB)

bench: environment ## measure what the course claims (some minutes)
	@for script in $(basename $(notdir $(wildcard benchmarks/*.py))); do $(RUN) python -m benchmarks.$$script || exit; done

book: book-environment ## build the course as a site of static pages in book/_build (a minute or two)
	@$(RUN) python -m book.build

format: development-environment ## format the code and mend what ruff can mend
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

clean: ## remove .venv, the site and the tools' caches (never classroom/)
	rm -rf .venv book/_build .hypothesis .pytest_cache .ruff_cache *.egg-info

environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)"

development-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --grading --book --dev

book-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --book

grading-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --grading
