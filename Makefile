# Everything a machine needs is Python 3.11 or later (with venv) and make; a C compiler makes the core faster.
# Each target creates the environment, installs, compiles and only then does its work. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment follows its description: other contents give another stamp, whatever the clocks say.
INSTALLED := $(VENV)/.installed-$(firstword $(shell cksum < pyproject.toml))

export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help up down test compose-test check bench replay chaos proto compile fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: compile ## start NATS and the four services; Ctrl-C stops them (DETACH=1: in the background; FRESH=1; MODE=paper)
	@$(BIN)/python -m services.up

down: $(INSTALLED) ## stop what `make up DETACH=1` started
	@$(BIN)/python -m services.up --down

test: compile ## run the tests: the pure ones interpreted, then all with the core compiled
	@$(BIN)/python tools/run_tests.py

compose-test: $(INSTALLED) ## build the images and test the composed system; needs a Docker engine
	@$(BIN)/python -m pytest -m docker tests/e2e

check: $(INSTALLED) ## lint, format, types, import contracts, freshness of generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python tools/gen_proto.py --check

bench: compile ## measure, print a table and write JSON
	@$(BIN)/python -m bench

replay: compile ## run recordings through the services: make replay RECORDINGS="file ..."; RESUME=run goes on
	@test -n "$(RECORDINGS)$(RESUME)" || { echo 'usage: make replay RECORDINGS="file ..." or RESUME=run' >&2; exit 2; }
	@$(BIN)/python -m services.replay $(RECORDINGS) $(if $(RESUME),--resume $(RESUME))

chaos: compile ## kill, pause, starve and damage running systems, and run thousands of simulated ones
	@$(BIN)/python -m tests.simulation
	@$(BIN)/python -m tests.chaos
	@$(BIN)/python -m tests.chaos.venue_trials
	@$(BIN)/python -m tests.chaos.replay_trials
	@$(BIN)/python -m tests.chaos.damage_trials
	@TRADEBUS_DAMAGES=300 $(BIN)/python -m pytest -q tests/unit/journal/archive/test_verification.py
	@$(BIN)/python -m tests.chaos.audit_trials

proto: $(INSTALLED) ## generate tradebus/wire/pb from proto/, and the client's models from the API
	@$(BIN)/python tools/gen_proto.py
	@$(BIN)/python -m tests.support.client_models

compile: $(INSTALLED) ## compile the core in place, where a C compiler is present and the source has changed
	@$(BIN)/python setup.py -q compile_core

fmt: $(INSTALLED) ## format, and fix what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

clean: ## remove environment, build products and caches (not the data in .tradebus)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find tradebus services tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -f tradebus_core__mypyc*.so
	@find tradebus \( -name '*.so' -o -name '*.stamp' \) -delete

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tradebus needs Python 3.11 or later; $(PYTHON) is not. Name one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "$(PYTHON) cannot create an environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "environment: installing Tradebus and what it needs into $(VENV), once; a minute or two"
	@$(BIN)/python tools/install.py --editable '.[services,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@
