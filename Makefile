# Needs Python >= 3.11, make and git, nothing else: every target first brings .venv up to date with requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/.uv-0.13.9
PROJECTS := $(sort $(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
MEMBERS := $(patsubst %/pyproject.toml,%,$(PROJECTS))
SOURCES := $(MEMBERS:%=%/src)
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo run up down demo-compose test-compose not-as-root test test-fast lint docs lock chaos bench

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1#/p' $(MAKEFILE_LIST) | awk -F'#' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## environment and development keys
	@$(BIN)/hub keys

demo: $(INSTALLED) ## a simulated college, three integrations, a sync, a webhook; ONCE=1 checks every record and exits
	@$(BIN)/hub demo $(if $(ONCE),--once)

run: setup ## everything on http://127.0.0.1:8000, data in .hub/hub.db
	@$(BIN)/hub run

# Compose 1 has no --wait: make up COMPOSE=docker-compose WAIT=
COMPOSE ?= docker compose
WAIT ?= --wait
# What is exported goes before .env, so .env is asked first.
export HUB_USER ?= $(or $(shell sed -n 's/^HUB_USER=//p' .env 2>/dev/null),$(shell id -u):$(shell id -g))
ORDINARY := $(if $(filter 0:%,$(HUB_USER)),not-as-root)
# STAND_IN=1: with the images that deploy/compose/stand-in/prepare has made.
FILES := -f docker-compose.yml $(if $(STAND_IN),-f deploy/compose/stand-in/compose.yml)
SERVICES := config-api webhook-gateway scheduler fetcher transformer writer
DEMO := $(COMPOSE) $(FILES) -f deploy/compose/demo.yml
BUILD := $(if $(STAND_IN),,--build)
ifdef STAND_IN
export HUB_RABBITMQ_IMAGE := hub-stand-in:rabbitmq
export HUB_MONGODB_IMAGE := hub-stand-in:mongodb
endif

up: setup $(ORDINARY) ## separate services over RabbitMQ and MongoDB, in containers
	@$(COMPOSE) $(FILES) up $(BUILD) --detach $(WAIT)

down: ## stop them; what they hold stays in its volumes
	@$(COMPOSE) $(FILES) down

demo-compose: setup $(ORDINARY) ## the demo against the separate services: checks every record
	@$(if $(STAND_IN),:,$(DEMO) build demo)
	@$(DEMO) up $(BUILD) --detach $(WAIT)
	@$(DEMO) run --rm --use-aliases demo

# Containers reach this machine through the gateway of the network that the fetcher is in.
test-compose: setup $(ORDINARY) ## the end-to-end tests against the separate services in containers
	@$(DEMO) up $(BUILD) --detach $(WAIT)
	@HUB_E2E_TARGETS=compose HUB_E2E_URL=http://127.0.0.1:8000 HUB_E2E_WEBHOOKS_URL=http://127.0.0.1:8001 \
	  HUB_E2E_COLLEGE_HOST=10.213.77.1 HUB_E2E_TOKEN_SECRET=.hub/keys/token-secret HUB_E2E_STAND_IN=$(STAND_IN) \
	  HUB_E2E_LOG="$(COMPOSE) $(FILES) logs --no-color $(if $(WAIT),--no-log-prefix) $(SERVICES)" \
	  $(BIN)/python -m pytest tests-e2e --ignore=tests-e2e/test_compose.py -k compose $(ARGS)

not-as-root:
	@echo "The services must not run as root: chown -R 10001:10001 .hub, then make HUB_USER=10001:10001 ..."; exit 1

# Many tests wait for servers, so two processes share them, file by file; JOBS=0 runs all in one.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

test: $(INSTALLED) ## every test; ARGS are passed to pytest
	@$(PYTEST) $(ARGS)

test-fast: $(INSTALLED) ## without what takes more than a few seconds
	@$(PYTEST) -m "not slow" $(ARGS)

lint: $(INSTALLED) ## style, types, arrows between packages, generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(SOURCES) docs
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate.py --check

docs: $(INSTALLED) ## what is generated from code: tables in README.md and docs/connectors.md, .env.example, openapi.json
	@$(BIN)/python docs/generate.py

chaos: $(INSTALLED) ## two of each service, killed, cut off and paused for SECONDS=120 while colleges use them; SEED=n repeats one
	@$(BIN)/python tests-e2e/chaos/run.py --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED) ## the figures, all from one run
	@$(BIN)/python bench/run.py $(ARGS)

lock: $(UV) ## requirements.lock anew from every pyproject.toml; UPGRADE=1 takes the newest versions
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  $(patsubst %,--no-emit-package hub-%,$(notdir $(MEMBERS))) $(if $(UPGRADE),--upgrade) \
	  --group dev $(PROJECTS) --output-file requirements.lock >/dev/null

# uv comes from the package index like everything else, into the project's own environment.
$(UV):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@touch $@

# The members are installed from here and need no isolated build environments: hatchling is in the lock.
$(INSTALLED): requirements.lock pyproject.toml $(PROJECTS) | $(UV)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@$(BIN)/uv pip check --quiet --python $(BIN)/python || { echo "a pyproject.toml asks for more than the lock: make lock"; exit 1; }
	@touch $@
