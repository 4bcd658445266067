# `make help` lists the targets; the text after ## is what it shows.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Thousands of short processes are started by the tests: none has to compile its modules anew (2.5 of 3.8 CPU-seconds
# of a worker's start), also where containers are told to write no bytecode.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup.stamp
PIP = $(1) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r build/uv.txt

.PHONY: help setup lock demo check format test soak storm bench bench-full audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv from the locked requirements; done again only when they change

# Everything is fetched by hash, uv first: it is in the lock too. The project itself is installed
# editable, so that its files are what runs. Where Python lacks its venv module, uv stands in.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Habeas needs Python 3.11 or newer, and '$(PYTHON)' is not that" \
	    "($$($(PYTHON) --version 2>/dev/null || echo not found))." \
	    "Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; exit 1; }
	@mkdir -p build && awk '/^uv==/ {on = 1; print; next} /^[^ ]/ {on = 0} on' requirements.lock > build/uv.txt
	@$(BIN)/python -c '' 2>/dev/null || { \
	  rm -rf $(VENV); $(PYTHON) -m venv $(VENV) >/dev/null 2>&1; } || { \
	  rm -rf $(VENV); $(call PIP,$(PYTHON)) --target build/uv 2>/dev/null && build/uv/bin/uv venv --quiet --seed \
	    --python "$$(command -v $(PYTHON))" $(VENV); } || { \
	  echo "'$(PYTHON)' has neither venv nor pip: apt-get install python3-venv" >&2; exit 1; }
	@$(call PIP,$(BIN)/python)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

lock: ## Pin the newest allowed requirements again; commit the result
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	  --python-version 3.11 pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --extra image --constraint requirements.lock \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	  --python-version 3.11 pyproject.toml -o deploy/requirements.lock

demo: setup ## Hand over one person's data and erase another's, on real servers
	@$(BIN)/habeas demo

check: setup ## Format, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Lay the code out, and mend what lint can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: setup ## Run the tests, under 10 minutes
	$(BIN)/pytest -m "not soak" -n $$(( $$(nproc) + 1 )) --maxprocesses 4 --dist loadscope

soak: setup ## Run the long tests
	$(BIN)/pytest -m soak -n 3 --dist load --timeout 1200

storm: setup ## Ten thousand random faults over five hundred requests: takes hours
	$(BIN)/pytest -m soak tests/faults/test_storm.py --storm-requests 500 --storm-faults 10000

bench: setup ## Run the benchmarks at a small scale, under 10 minutes
	$(BIN)/python -m tests.benchmarks.run

bench-full: setup ## Run the benchmarks at full scale
	$(BIN)/python -m tests.benchmarks.run --full

audit: setup ## Ask PyPI whether a pinned package has a known weakness
	$(BIN)/pip-audit --requirement requirements.lock --disable-pip --require-hashes

clean: ## Remove .venv and what the tools keep
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
