# An activated conda environment of this course is used as it is; otherwise `make` keeps its own in .venv.
PYTHON ?= python3
ENVIRONMENT := $(if $(filter attention-by-hand,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX),$(CURDIR)/.venv)
RUN := PATH="$(ENVIRONMENT)/bin:$$PATH"
PYTEST = --numprocesses=auto --maxprocesses=4 --durations=15 $(if $(FAST),tests -m "not slow",tests --nbval notebooks)

.PHONY: help lab test coverage labs notebooks handout badges grade bench book format clean environment book-environment grading-environment development-environment

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: environment ## open the course in JupyterLab (the first time: install it)
	@echo "Starting JupyterLab; Ctrl-C stops it."
	@$(RUN) python -m tools.lab

test: development-environment ## run every test; make test FAST=1 leaves out what takes long
	@$(RUN) python -m pytest $(PYTEST)

coverage: development-environment ## run every test, and say how much of grading/ and helpers/ was run
	@$(RUN) python -m coverage erase
	-@$(RUN) python -m coverage run -m pytest $(PYTEST)
	@$(RUN) python -m coverage combine --quiet
	@$(RUN) python -m coverage report
	@for package in grading helpers; do \
		echo "$$package: $$($(RUN) python -m coverage report --format=total --include="$$package/*") %"; done

labs: environment ## write the students' copies in labs/ anew from solutions/
	@$(RUN) python -m helpers.own_copies unanswered
	@ls solutions | $(RUN) xargs -n 1 python -m nbgrader generate_assignment --force --no-db

notebooks: environment ## run every notebook and keep its outputs
	@$(RUN) python -m tools.execute_notebooks notebooks/*.ipynb

handout: environment ## write a zip for a class, without solutions, in build/: make handout, or make handout LAB=lab01_masked_softmax
	@$(RUN) python -m tools.handout $(LAB)

badges: environment ## write the buttons that open the course in Colab and elsewhere, for the address in pyproject.toml, or take them out
	@$(RUN) python -m tools.badges

grade: grading-environment ## grade what lies in classroom/submitted: make grade LAB=lab01_masked_softmax
	@$(RUN) python -m grading autograde $(LAB)

bench: environment ## measure what the course claims (some minutes)
	@for script in $(basename $(notdir $(wildcard benchmarks/*.py))); do $(RUN) python -m benchmarks.$$script || exit; done

book: book-environment ## build the course as a site of static pages in book/_build (a minute or two)
	@$(RUN) python -m book.build

format: development-environment ## format the code and mend what ruff can mend
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

clean: ## remove .venv, the site and the tools' caches (never classroom/ or my_labs/)
	rm -rf .venv build book/_build .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info

environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)"

development-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --grading --book --dev

book-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --book

grading-environment:
	@$(PYTHON) tools/install.py "$(ENVIRONMENT)" --grading
