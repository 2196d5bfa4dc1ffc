# What people type and CI calls. tools/setup.py installs, kmslab does the rest; nothing is decided here.
.DEFAULT_GOAL := help
.PHONY: help lab setup setup-dev test nightly lint-templates fmt lock bench score site guide-aws clean

PYTHON ?= $(shell command -v .venv/bin/python || command -v python3 || command -v python)
BIN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: setup ## everything: install, start the engine, deploy, prove, report
	@$(BIN)/kmslab up
	@$(BIN)/kmslab verify --format table,html,json

setup: ## install what the lab needs into .venv and node_modules
	@$(PYTHON) tools/setup.py

setup-dev:
	@$(PYTHON) tools/setup.py --dev

test: setup-dev ## linters, types and the whole test suite
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup

nightly: setup-dev ## what takes too long for `make test`: every fault, 50 green runs in a row, the worst days
	$(BIN)/python -m benchmarks.score --greens 50 --scanner none
	$(BIN)/pytest -m nightly
	$(BIN)/python -m benchmarks.findings

lint-templates: setup-dev ## cfn-lint, CDK, cfn-guard, checkov and prowler: fails on what docs/findings.md does not name
	$(BIN)/python -m benchmarks.findings

fmt: setup-dev ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure the lab's figures
	$(BIN)/python -m benchmarks

score: setup ## what the verifier notices of every fault, and what scanners do
	$(BIN)/python -m benchmarks.score --greens 50

site: setup ## build the course into .kmslab/site, offline; `kmslab guide` builds and serves it
	@$(BIN)/kmslab guide --build

guide-aws: setup-dev ## run every page of the course in a sandbox account: make guide-aws SANDBOX=111122223333
	@$(BIN)/python -m kmslab.commands.guide_aws $(if $(SANDBOX),-c kmslab.sandbox_accounts=$(SANDBOX)) $(if $(SECOND),--second $(SECOND)) $(GUIDES)

lock: setup-dev ## lock the dependencies again: requirements*.txt and package-lock.json
	@$(BIN)/python tools/lock.py

clean: ## stop the engine and remove everything that was installed or made
	@if [ -x $(BIN)/kmslab ]; then $(BIN)/kmslab engine stop || true; fi
	rm -rf .venv .kmslab node_modules cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis report.html report.json report.ocsf.json report.xml
