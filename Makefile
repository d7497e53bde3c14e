# Everything runs in .venv, which is made on first use and again when its recipe changes.
.DELETE_ON_ERROR:
.PHONY: help book test bench lint notebooks clean FORCE

PYTHON ?= python3
# The versions to install; /dev/null tries the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin
# Written last: without it an environment is half made, and is made anew.
STAMP := $(VENV)/.made-from-constraints
# Whether it still works, and on this checkout: not after a move, or once its Python is gone.
SOUND := $(shell $(BIN)/python -I -c \
    'import hsirepro, os; print(os.path.samefile(hsirepro.__path__[0], "hsirepro"))' 2>/dev/null)
CHECKED := hsirepro tests notebooks conftest.py

# Without a terminal: no questions, no notices, and text that is UTF-8 everywhere.
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

book: $(STAMP)  ## run the chapters that changed and render _build/html/index.html
	$(BIN)/python -m hsirepro.book

test: lint  ## lint, then every test, two workers
	@# Two workers of one thread each: more threads than cores slow every test down.
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	    $(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/python -m ruff check $(CHECKED)
	$(BIN)/python -m ruff format --check $(CHECKED)
	$(BIN)/python -m mypy

bench: $(STAMP)  ## time HyCoNet, baselines, unmixing, INSS mixing, metrics, drawing (BENCH=--large: large images)
	$(BIN)/python -m hsirepro.bench $(BENCH)

notebooks: $(STAMP)  ## write each chapter's .ipynb from its .py
	$(BIN)/python -m hsirepro.book --pairs

clean:  ## remove what was built; the environment stays
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache

$(STAMP): constraints.txt pyproject.toml $(if $(filter True,$(SOUND)),,FORCE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "hsirepro needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	    echo "  next step  make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV); the packages may take some minutes."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[book,test,io]'
	@touch $@
