# `make serve` and `make test` are all a fresh machine needs: Python 3.11 with venv, make and a package index.
# Everything comes from the hashed locks into .venv; nothing is installed outside it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The arguments of the command behind `serve`, `test` and `bench`: make test ARGS="-k etag"
ARGS ?=
# Test processes; 0 runs the tests in one.
WORKERS ?= 2
# What `make breaking` compares the protos with; empty skips the comparison.
AGAINST ?= $(shell git rev-parse --verify --quiet main >/dev/null 2>&1 && echo main || echo origin/main)

# The directories that are checked, as far as they exist.
CODE = $(wildcard service gateway tests benchmarks scripts)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## Show this list (the default)
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s  %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- Running ----------------------------------------------------------------------------------------------------------

# exec: the server takes the shell's place, so that make passes SIGTERM to the server itself.
.PHONY: serve
serve: $(VENV)/.runtime ## Run the whole product: gRPC and REST in one process (ARGS="--help" lists the flags)
	@exec $(BIN)/almoner serve $(ARGS)

# --- Testing ----------------------------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/.dev ## Run the tests on both databases (ARGS="-k etag" selects)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

.PHONY: check
check: lint types protos-check dockerfile ## Run every check that CI runs, except the tests

.PHONY: lint
lint: $(VENV)/.dev ## Check the Python style: ruff's rules and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

.PHONY: types
types: $(VENV)/.dev ## Check the types: mypy, strict
	$(BIN)/mypy $(CODE)

.PHONY: protos-check
protos-check: $(VENV)/.dev breaking ## Check the protos: rules, format, compatibility, and that the generated code is theirs
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/python scripts/gen_protos.py --check

# Through an archive, not buf's own .git input: that clones, which a shallow checkout may refuse.
.PHONY: breaking
breaking: $(VENV)/.dev ## Check that the protos break no client of AGAINST (main)
	@if test -z "$(AGAINST)" || ! git cat-file -e "$(AGAINST):protos/almoner" 2>/dev/null; then \
		echo "buf breaking: skipped, there are no protos at '$(AGAINST)' to compare with"; \
	else \
		before=$$(mktemp -d) && trap 'rm -rf "$$before"' EXIT && \
		git archive "$(AGAINST)" protos >"$$before/protos.tar" && tar -xf "$$before/protos.tar" -C "$$before" && \
		cp buf.yaml "$$before" && \
		echo "$(BIN)/buf breaking --against $(AGAINST)" && $(BIN)/buf breaking --against "$$before"; \
	fi

.PHONY: dockerfile
dockerfile: $(VENV)/.dev ## Check the Dockerfile: hadolint
	@if test -x $(BIN)/hadolint; then echo "$(BIN)/hadolint Dockerfile"; $(BIN)/hadolint Dockerfile; \
	else echo "hadolint: skipped, there is none for this platform"; fi

.PHONY: audit
audit: $(VENV)/.dev ## Look the locked runtime packages up in the vulnerability database
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.lock

.PHONY: bench
bench: $(VENV)/.dev ## Measure what is fast
	@$(BIN)/python -m benchmarks $(ARGS)

# --- Changing ---------------------------------------------------------------------------------------------------------

.PHONY: format
format: $(VENV)/.dev ## Format the Python and the protos, and fix what ruff can fix
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/buf format --write

.PHONY: protos
protos: $(VENV)/.dev ## Generate the Python code of the protos again
	$(BIN)/python scripts/gen_protos.py

.PHONY: lock
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(ARGS)
lock: ## Resolve the locks again (ARGS=--upgrade takes newer releases)
	@test -x $(BIN)/uv || $(MAKE) $(VENV)/.dev
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) requirements-build.in --constraints requirements.lock --output-file requirements-build.lock
	$(LOCK) pyproject.toml requirements-dev.in --constraints requirements.lock --constraints requirements-build.lock \
		--output-file requirements-dev.lock
	$(LOCK) requirements-nodeps.in --constraints requirements-dev.lock --output-file requirements-nodeps.lock

.PHONY: wheel
wheel: $(VENV)/.runtime ## Build the wheel into dist/
	$(BIN)/python -m hatchling build --target wheel

.PHONY: clean
clean: ## Remove .venv, caches and built files (never the data directory)
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
	find $(CODE) protos "(" -name __pycache__ -o -name node_modules ")" -type d -prune -exec rm -rf {} +

# --- The environment --------------------------------------------------------------------------------------------------

.PHONY: venv
venv: $(VENV)/.dev ## Create .venv with everything for development

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, not " + sys.version)'
	"$(PYTHON)" -m venv $(VENV)

# The project is installed editable by the backend of requirements-build.lock, without an index: nothing unhashed comes in.
$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock requirements-nodeps.lock $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --require-hashes --no-deps -r requirements-nodeps.lock
	@touch $@
