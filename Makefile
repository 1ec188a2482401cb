# Every command that a person needs; `make help` lists them. Each first sets up what it needs, which
# is quick when it is already there.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:

VENV ?= .venv
VENV_FLOOR ?= .venv-floor
VENV_AUTHORING ?= .venv-authoring
PY := $(VENV)/bin/python
# One worker per core; tests/distribution.py says which tests stay together.
WORKERS ?= 2
PYTEST := -m pytest -p tests.distribution -n $(WORKERS) --dist loadscope
export PYTHON
# Airflow starts a process for each task, and without bytecode each of them would compile the
# project's modules again.
unexport PYTHONDONTWRITEBYTECODE
# Airflow's version check and usage statistics would send data from this machine.
export SCARF_ANALYTICS := false
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := False

.PHONY: help setup run up load backfill-report down test test-fast test-floor lint types bench statemachine statemachine-check lock lock-check audit licences data days learn stale policy permissions pr clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install exactly requirements-dev.txt into .venv (PYTHON=python3.11 chooses the interpreter)
	@tools/setup.sh $(VENV) requirements-dev.txt

run: ## Retrain once on this machine, end to end (DATA=file.csv: your own data; IAM=enforce: check every permission)
	@export BREWTRAIN_RUN_STARTED=$$(date +%s); tools/setup.sh $(VENV) requirements-dev.txt; \
	exec $(PY) -m tools.run $(if $(DATA),--data '$(DATA)') $(if $(IAM),--iam '$(IAM)')

up: setup ## Start Airflow (UI on 127.0.0.1:8080, or PORT=…), PostgreSQL and local_aws, and wait for them (IAM=enforce as for run)
	@exec $(PY) -m tools.up start $(if $(PORT),--port $(PORT)) $(if $(LOCAL_AWS_PORT),--local-aws-port $(LOCAL_AWS_PORT)) $(if $(IAM),--iam '$(IAM)')

load: setup ## Load data into what `make up` started (DATA=file.csv, otherwise generated rows)
	@$(PY) -m tools.up load $(if $(DATA),--data '$(DATA)') $(if $(LOCAL_AWS_PORT),--local-aws-port $(LOCAL_AWS_PORT))

backfill-report: setup ## Backfill every month of the data through Airflow and write docs/backfill-report.md (DATA=file.csv, AT_ONCE=n)
	@exec $(PY) -m tools.backfill_report $(if $(DATA),--data '$(DATA)') $(if $(AT_ONCE),--at-once $(AT_ONCE))

down: ## Stop exactly what `make up` started
	@if [ -x $(PY) ]; then exec $(PY) -m tools.up stop; else echo "down: nothing is running."; fi

test: setup ## Run every test
	@$(PY) $(PYTEST) $(ARGS)

test-fast: setup ## Run the fast tests, which need no real components
	@$(PY) $(PYTEST) -m "not slow and not integration" $(ARGS)

test-floor: ## Run the unit, DAG and trigger tests against the oldest supported Airflow
	@tools/setup.sh $(VENV_FLOOR) requirements-floor.txt
	@echo "test-floor: $$($(VENV_FLOOR)/bin/python -c 'from importlib.metadata import version; print("Airflow", version("apache-airflow"))')"
	@$(VENV_FLOOR)/bin/python $(PYTEST) -m "not slow and not integration" $(FLOOR_TESTS) $(ARGS)

# These do not use Airflow, so its oldest version makes no difference to them.
FLOOR_TESTS = $(addprefix --ignore=,$(wildcard tests/unit/recipe_runner tests/unit/local_aws tests/unit/tools tests/functional/local_aws))

lint: setup ## Check style (ruff) and types (mypy strict); changes nothing
	@echo "lint: ruff"
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet . || { echo "lint: format these files with .venv/bin/ruff format:"; $(PY) -m ruff format --check . | sed -n 's/^Would reformat: /  /p'; exit 1; }
	@$(MAKE) types

types: setup ## Check only types
	@echo "types: mypy"
	@$(PY) -m mypy --no-error-summary

bench: setup ## Run the benchmarks, each a ratio to a named peer (BENCH=name for one)
	@for file in $(if $(BENCH),benchmarks/$(BENCH).py,$(BENCHMARKS)); do \
	  echo "bench: $$file"; $(PY) -m benchmarks.$$(basename $$file .py); done

# The other modules are parts of them.
BENCHMARKS = $(sort $(filter-out $(addprefix benchmarks/,__init__.py installation.py machine.py),$(wildcard benchmarks/*.py)))

statemachine: ## Render the state machine's definition in its authoring environment
	@tools/setup.sh $(VENV_AUTHORING) include/statemachine/requirements.txt
	@$(VENV_AUTHORING)/bin/python include/statemachine/workflow.py --write

statemachine-check: ## Fail if the committed definition is not what workflow.py renders
	@tools/setup.sh $(VENV_AUTHORING) include/statemachine/requirements.txt
	@$(VENV_AUTHORING)/bin/python include/statemachine/workflow.py --check

lock: setup ## Resolve requirements*.in into the locks (UPGRADE=1 takes new releases)
	@tools/lock.sh write $(if $(UPGRADE),--upgrade)

lock-check: setup ## Fail if a lock is not what its *.in file resolves to
	@tools/lock.sh check

audit: setup ## Check every lock for vulnerable and yanked versions, and say what could not be checked (ARGS=--strict)
	@$(PY) -m tools.audit $(ARGS)

licences: setup ## Write docs/licences.md: what the locks install, and under which licences
	@$(PY) -m tools.licences

days: setup ## Print which days a run reads (PIPELINE=name; AT=time in UTC, default: now)
	@$(PY) -m tools.days '$(or $(PIPELINE),$(error days: say which pipeline, e.g. PIPELINE=bank_marketing))' $(if $(AT),--at '$(AT)')

learn: setup ## Print quality rules learnt from good windows as a diff (PIPELINE=name; WINDOWS=n; PROFILE=1: profile the window now)
	@$(PY) -m tools.learn '$(or $(PIPELINE),$(error learn: say which pipeline, e.g. PIPELINE=bank_marketing))' $(if $(WINDOWS),--windows '$(WINDOWS)') $(if $(PROFILE),--profile) $(if $(AT),--at '$(AT)')

stale: setup ## Print which intervals were trained on data that has changed since, and how to retrain them (PIPELINE=name; ENDPOINT=… of local AWS)
	@$(PY) -m tools.stale '$(or $(PIPELINE),$(error stale: say which pipeline, e.g. PIPELINE=bank_marketing))' $(if $(ENDPOINT),--endpoint-url '$(ENDPOINT)')

data: setup ## Download the full bank marketing file from UCI into var/data
	@$(PY) -m tools.fetch_data

policy: setup ## Print the IAM policies that one pipeline needs (PIPELINE=include/pipelines/x.yaml ROLE=… ACCOUNT=… REGION=…)
	@$(PY) -m tools.policy '$(or $(PIPELINE),$(error policy: name a pipeline file, e.g. PIPELINE=include/pipelines/bank_marketing.yaml))' \
	  $(if $(ROLE),--role $(ROLE)) $(if $(ACCOUNT),--account $(ACCOUNT)) $(if $(REGION),--region $(REGION))

permissions: setup ## Write docs/permissions.md: which principal may do what to what, and who uses it
	@$(PY) -m tools.permissions --write

pr: lint lock-check statemachine-check test-floor test ## Run everything that CI checks, before you open a pull request
	@echo "pr: all green"

clean: down ## Delete environments, var/ and caches
	@rm -rf $(VENV) $(VENV_FLOOR) $(VENV_AUTHORING) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
