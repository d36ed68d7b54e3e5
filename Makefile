# Tollgate's commands. They need git, make and Python >= 3.11; everything else is installed into this checkout.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# Asked for only when an environment has to be made: the first of these that is new enough and can make one.
PYTHON ?= $(shell sh local/find-python)
VENV := .venv
RUN := env -u VIRTUAL_ENV -u PYTHONHOME PYTHONPATH="$(CURDIR)/layers/tollgate:$(CURDIR)/cli" PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PY := $(RUN) $(VENV)/bin/python
CODE := layers/tollgate/tollgate functions cli local tests
TYPED := layers/tollgate/tollgate functions cli local
TESTS ?= tests
# More than two processors: the tests wait for blocks and leases half of their time.
WORKERS ?= 3
# Suites with targets of their own.
SLOW := conformance faults kills prove/test_side_by_side.py
STACK ?= tollgate
BENCH ?=
PROVE ?=

READY := $(VENV)/.ready
MINISTACK := .venv-ministack/.ready
NODE := node_modules/.ready

.PHONY: help setup demo example serve sam-local test check lint format types imports template conformance faults crash interleavings kills beside prove slow bench relayer networks dashboards threats lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(READY) $(MINISTACK) $(NODE) ## install the tools into this checkout (the other commands do it by themselves)

demo: setup ## show one paid call on a local AWS and a local chain, from the 402 to the receipt
	@exec $(PY) -m local.demo

example: setup ## run one of examples/ on a local stack (NAME=provider-call, workflow or agent)
	@exec $(PY) -m local.example $(NAME)

serve: setup ## keep the local stack up and print its URLs, a funded test key and lines to try
	@exec $(PY) -m local.serve

sam-local: setup ## run every input of events/ through `sam local invoke` (needs Docker)
	@exec $(PY) -m local.sam_local

test: setup ## run the tests (TESTS=tests/unit for a part, WORKERS=0 for one process)
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal $(if $(filter tests,$(TESTS)),$(SLOW:%=--ignore=tests/%)) $(TESTS)

check: lint types imports template test slow ## everything a change must pass

lint: $(READY) ## format and lint (ruff)
	@echo "· lint" && $(PY) -m ruff format --check --quiet $(CODE) && $(PY) -m ruff check --quiet $(CODE)

format: $(READY) ## rewrite the code in its one format and apply safe fixes
	@$(PY) -m ruff check --fix --quiet $(CODE); $(PY) -m ruff format $(CODE)

types: $(READY) ## type check (mypy, strict)
	@echo "· types" && $(PY) -m mypy $(TYPED)

imports: $(READY) ## hold the layers' one-way imports
	@echo "· imports" && PYTHONPATH=layers/tollgate:cli:. $(VENV)/bin/lint-imports --no-cache --no-logo

template: $(READY) ## lint template.yaml (sam validate, cfn-lint)
	@echo "· template" && $(RUN) SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 sam validate --lint && $(RUN) cfn-lint template.yaml examples/*/template.yaml

interleavings: setup ## walk every schedule of two and three requests, effect by effect (`make test` has the shorter ones)
	@TOLLGATE_INTERLEAVINGS=all $(PY) -m pytest -n $(WORKERS) tests/interleavings

crash: setup ## kill every effect of every scenario, alone and in all pairs, and check the promises (`make test` has a sample)
	@TOLLGATE_CRASH=all $(PY) -m pytest -n $(WORKERS) tests/crash

conformance: setup ## the checks of x402-conformance, re-made for EVM, each with the builds that it must catch
	@$(PY) -m pytest -n $(WORKERS) tests/conformance

faults: setup ## break each rule on purpose, one at a time, and see its test fail
	@$(PY) -m pytest -n $(WORKERS) tests/faults

kills: setup ## kill real Lambda runtimes in 200 paid calls, then compare chain, books and buyers (KILLS_SEED=n)
	@$(PY) -m pytest -s tests/kills

beside: setup ## replays, a lost receipt and a kill, on Tollgate and on the official SDK
	@$(PY) -m pytest -s tests/prove/test_side_by_side.py

prove: setup ## run all that shows the guarantees and print the figures of docs/guarantees.md (PROVE=--help)
	@$(PY) -m tests.prove --workers $(WORKERS) $(PROVE)

slow: setup ## what CI runs of it: all that `make test` does not have
	@$(PY) -m tests.prove --workers $(WORKERS) --slow

bench: setup ## measure against the official SDK and the limits; rewrites docs/benchmarks.md (BENCH=--help)
	@$(PY) -W ignore -m tests.bench $(BENCH)

relayer: $(READY) ## print a deployed stack's relayer and its gas balance (STACK=tollgate)
	@$(PY) -m tollgate_cli relayer --stack $(STACK)

networks: $(READY) ## renew what is made of the network table (template.yaml's rules, docs/networks.md)
	@$(PY) -m local.networks

dashboards: $(READY) ## renew the dashboards of CloudWatch (template.yaml) and Grafana (dashboards/)
	@$(PY) -m local.dashboards

threats: $(READY) ## renew the column of tests in docs/threats.md
	@$(PY) -m tests.attacks.table

lock: $(READY) ## renew the pinned requirements
	@$(PY) -m local.lock

clean: ## remove everything that was installed or built here
	rm -rf .venv .venv-ministack node_modules .build .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements/dev.txt
	@python="$(PYTHON)"; test -n "$$python" || exit 1; "$$python" local/bootstrap.py python .venv requirements/dev.txt

$(MINISTACK): requirements/ministack.txt | $(READY)
	@$(PY) local/bootstrap.py python .venv-ministack requirements/ministack.txt

$(NODE): package.json package-lock.json | $(READY)
	@$(PY) local/bootstrap.py node node_modules
