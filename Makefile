# `make` without a target lists the targets. Each one installs its dependencies in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo mnist pretrained test test-anywhere coverage lint format \
  test-oldest test-tools bench docs test-docs release clean

# Each worker needs about 1.5 GB, for TensorFlow and compiled programs, and has a core
# of its own: more threads of BLAS would slow the others down.
IN_PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Tests start many processes; without files of bytecode, each compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed-demo  ## Train on 5000 digits; figures and model go to demo/
	$(BIN)/python examples/programs/train_digits.py

mnist: $(VENV)/installed-demo  ## Train on MNIST, about 25 minutes; DATA=FILE for your own images
	$(BIN)/python examples/programs/train_mnist.py $(if $(DATA),--data "$(DATA)")

pretrained: $(VENV)/installed-pretraining  ## Train the digit reader, an hour or more; DATA=FILE for MNIST
	$(BIN)/python -m pretraining $(if $(DATA),--data "$(DATA)")

test: $(VENV)/installed-test  ## Run the test suite, doctests included, a few minutes
	$(PYTEST) $(IN_PARALLEL)

test-anywhere: $(VENV)/installed-test  ## Run it under the conditions of other machines, about an hour
	$(BIN)/python tests/anywhere.py $(VARIANTS)

coverage: $(VENV)/installed-test  ## Run it and report branch coverage by module
	$(PYTEST) $(IN_PARALLEL) --cov --cov-report=term-missing:skip-covered

lint: $(VENV)/installed-lint  ## Check style, types, wording and the repository
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python tools/check_prose.py
	$(BIN)/repo-review .
	$(BIN)/zizmor --quiet --offline .github

format: $(VENV)/installed-lint  ## Apply what lint would change
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The oldest versions that pyproject.toml allows, resolved by uv. It takes the extras'
# lower bounds only if they are named here: those of the group are indirect.
test-oldest: .venv-oldest/installed  ## Run the test suite on the oldest dependencies
	.venv-oldest/bin/python -m pytest $(IN_PARALLEL)

test-tools: $(VENV)/installed-test $(VENV)/installed-tools  ## Run the guide to other tools, which it installs
	$(BIN)/python -m pytest tests/test_other_tools.py

bench: $(VENV)/installed-bench  ## Compare with other libraries, about an hour; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks --all --write docs/benchmarks.md

docs: $(VENV)/installed-docs  ## Build the documentation, a few minutes, into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going docs docs/_build/html

test-docs: docs $(VENV)/installed-test-docs  ## Build it, and test every page in Chromium
	$(BIN)/python -m pytest docs/tests

release: $(VENV)/installed-release $(VENV)/installed-test  ## Build and check the last commit, into dist; uploads nothing
	$(BIN)/python tools/release.py

clean:  ## Remove the output of the other targets
	rm -rf .venv .venv-oldest demo mnist dist docs/_build docs/api docs/api.rst docs/gallery

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  "error: skdigits needs Python 3.11 or newer, %s is %d.%d; " \
	  "name another one with `make PYTHON=...`" % (sys.executable, *v[:2]))'
	$(PYTHON) -m venv $(VENV)

# Each group of dependencies in pyproject.toml; pip 25.1 is the first that knows them.
$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group $*
	@touch $@

# The one extra that users install as well.
$(VENV)/installed-demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

.venv-oldest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python \
	  --resolution lowest-direct --editable '.[demo,images,onnx]' --group test
	@touch $@
