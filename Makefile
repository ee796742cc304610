# Every target sets up what it needs: a machine with Python 3.11, pip and make runs `make demo` or `make test`.
# Set PYTHON to use another interpreter: make test PYTHON=/opt/python3.12/bin/python3

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/ready
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check
PIP_TOOLS := pip-tools==7.6.2

# A python that is new enough, tried by running it: a name on the path may be a shim for nothing.
PYTHON ?= $(shell for python in python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; \
	done)

.PHONY: help demo test proof bench lint lock venv clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 8

demo: $(READY) ## take the tour: edits, undo and a crash on files it makes itself
	@$(BIN)/insitu demo

test: lint ## lint, types and every test but the proofs
	@$(BIN)/python -m pytest -n 2 --dist worksteal

proof: $(READY) ## the exhaustive crash proofs and the largest files (long)
	@INSITU_LONG=1 $(BIN)/python -m pytest -m proof

bench: $(READY) ## measure insitu beside its peers
	@for peer in rg:ripgrep jq:jq; do \
		command -v "$${peer%%:*}" >/dev/null && continue; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& apt-get update -qq && apt-get install -y -qq "$${peer##*:}" >/dev/null; \
		then echo "bench: installed $${peer##*:}, one of the peers."; \
		else echo "bench: $${peer##*:} is missing and could not be installed; its columns show as missing."; fi; \
	done
	@$(BIN)/python -m benchmarks

lint: $(READY) ## ruff (rules and format) and mypy --strict
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "lint: not formatted; run $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy --strict src

venv: $(READY) ## set up .venv from requirements.lock

# Once per change of the lock or the project file. Debian may lack ensurepip: then this python's pip installs
# into an environment made without one.
$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "insitu needs Python 3.11 or newer; install it, or name one: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "Setting up .venv from requirements.lock (once) ..." >&2
	@if [ ! -x $(BIN)/python ]; then \
		$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv; fi
	@pip=("$(BIN)/python" -m pip); \
	"$${pip[@]}" --version >/dev/null 2>&1 || pip=($(PYTHON) -m pip --python $(BIN)/python); \
	"$${pip[@]}" install $(PIP_OPTIONS) --require-hashes -r requirements.lock; \
	"$${pip[@]}" install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
	@touch $@

# Keeps the pins that still fit; `make lock UPGRADE=--upgrade` takes the newest of all, `make lock
# UPGRADE='--upgrade-package rich'` of one.
lock: ## pin every dependency of pyproject.toml, with hashes, in requirements.lock
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder"; \
	"$$folder/bin/pip" install $(PIP_OPTIONS) $(PIP_TOOLS); \
	"$$folder/bin/pip-compile" --quiet --generate-hashes --strip-extras \
		--extra=code --extra=fast --extra=frames --extra=mcp --extra=tokens --extra=dev --extra=bench \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options $(UPGRADE) \
		--output-file=requirements.lock pyproject.toml

clean: ## remove caches and build products; the environment stays
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -path ./.git -prune -o -type d -name __pycache__ -print0 | xargs -0 rm -rf
