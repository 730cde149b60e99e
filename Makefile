# Everything is installed into .venv and nothing outside this folder is touched.
# PYTHON chooses the interpreter that .venv is made with: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NATIVE := $(VENV)/.native
CODE := $(wildcard processor loadtests tests)

# Only `make lock` uses it; it has its own environment, so that it can make the lock that .venv is made from.
UV_VERSION := 0.13.9
LOCKER := $(VENV)/locker
UV ?= $(LOCKER)/bin/uv

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types walls unit load torture year native plain lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(NATIVE) ## run the main job on bundled events, no broker needed
	@$(BIN)/trayecto demo

test: lint types walls unit ## run every check and the whole test suite

lint: $(READY) ## check style and format (ruff)
	@echo "lint: ruff check, ruff format --check"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## check types (mypy, strict)
	@echo "types: mypy $(CODE)"
	@$(BIN)/mypy $(CODE)

walls: $(READY) ## check who may import whom (import-linter)
	@echo "walls: lint-imports"
	@$(BIN)/lint-imports --no-logo

unit: $(NATIVE) ## run the tests only
	@echo "unit: pytest"
	@$(BIN)/pytest -n auto
	@echo "unit: the core once more, as plain Python"
	@TRAYECTO_PLAIN=1 $(BIN)/pytest -n auto -q tests/core --ignore=tests/core/expressions

load: $(NATIVE) ## run the load tests
	@$(BIN)/python -m loadtests

torture: $(NATIVE) ## break the worker in every way: TORTURE_MINUTES (20), TORTURE_SEED
	@$(BIN)/python -m tests.system.torture
	@TORTURE_BUGS=all $(BIN)/pytest -q tests/system/test_chunks_mutations.py

year: $(NATIVE) ## a simulated year through the whole gallery, checked: YEAR_CONTACTS (100000)
	@$(BIN)/python -m tests.simulation.year --contacts $(or $(YEAR_CONTACTS),100000)
	@$(BIN)/python -m tests.simulation.year --demo

native: $(NATIVE) ## compile the core, where there is a C compiler

plain: ## remove what was compiled, until the next change of the core or `make clean`
	@$(PYTHON) hatch_build.py --remove
	@touch $(NATIVE)

$(NATIVE): $(READY) hatch_build.py $(shell find processor/core processor/codec processor/runtime -name '*.py')
	@$(BIN)/python hatch_build.py
	@touch $@

# The stamp is newer than both files when the environment is complete, so a second run does nothing.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: '$(PYTHON)' was not found. Install Python 3.11 or later," \
	    "or name one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $$($(PYTHON) --version 2>&1) is too old; Python 3.11 or later is needed. Install one," \
	    "or name one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; exit 1; }
	@echo "setup: making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: no environment could be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "setup: installing the locked dependencies (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "setup: installing trayecto itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Versions already in the lock are kept where pyproject.toml allows them; UPGRADE=--upgrade moves them all.
lock: $(if $(filter $(LOCKER)/%,$(UV)),$(UV)) ## write requirements.lock anew from pyproject.toml
	@echo "lock: resolving pyproject.toml for every platform, Python 3.11 and later"
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --python-version 3.11 $(UPGRADE) pyproject.toml --group dev -o requirements.lock
	@! grep -nE 'https?:|file:' requirements.lock || { \
	  echo "error: the lock names a host or a path" >&2; exit 1; }

$(LOCKER)/bin/uv:
	@echo "lock: installing uv $(UV_VERSION) into $(LOCKER)"
	@$(PYTHON) -m venv $(LOCKER)
	@$(LOCKER)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## remove the environment and the caches
	-$(PYTHON) hatch_build.py --remove
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
