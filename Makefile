# Bare `make` lists the targets. PYTHON chooses the interpreter of the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.DEFAULT_GOAL := help
.PHONY: help setup page check check-page screenshots test test-fast bench docs demo lock changelog clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the virtual environment, with everything locked.

$(STAMP): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Where Python may not write bytecode, each start would compile us anew.
	$(BIN)/python -m compileall -q src
	@touch $@

page: setup ## Build the page of web/ into the package, if anything of it has changed.
	$(BIN)/python hatch_build.py

check-page: setup ## Types, lint and unit tests of the page.
	$(BIN)/python hatch_build.py run --silent check
	$(BIN)/python hatch_build.py run --silent test

screenshots: page ## Make the pictures of docs/images anew, from a server with demo runs.
	$(BIN)/python tests/web/screenshots.py

check: setup check-page ## Format, lint, types, import contracts, docs; warnings are errors.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test: setup page ## Run every test, the 10,000 random graphs included; starts the services they need.
	SEGUE_HYPOTHESIS=deep $(BIN)/python tests/services/service.py run -- $(BIN)/pytest -n auto --durations=25

test-fast: setup page ## Run the tests with few random cases.
	$(BIN)/pytest -n auto -m "not slow"

bench: setup ## Measure against make and the spawn floor; results in bench/results.
	$(BIN)/python bench/run.py

docs: setup ## Build the documentation into site/.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

demo: setup ## Run three real workflows, show their state and a graph.
	@PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

# With the oldest Python that we support: what only that one needs must be in it too.
lock: ## Write requirements.txt anew from pyproject.toml.
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	build/lock/bin/python -m piptools compile --quiet --all-extras --all-build-deps --generate-hashes \
	    --strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	    --no-header --output-file requirements.txt pyproject.toml

changelog: setup ## Show the fragments of changes.d that the next release will hold.
	@for file in changes.d/*.md; do printf -- '- %s\n' "$$(cat "$$file")"; done

clean: ## Remove what was built.
	rm -rf $(VENV) web/node_modules src/segue/server/page site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/results
