# Everything a person or CI runs. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
COLLECTION := .ansible/collections/ansible_collections/ilnmors/mail

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

# --- environment

$(VENV)/ready: requirements.txt
	@molecule/resources/install-venv.sh $(VENV)
	@touch $@

$(COLLECTION):
	@mkdir -p $(@D) && ln -sfn $(CURDIR) $@

.PHONY: venv
venv: $(VENV)/ready $(COLLECTION) ## the Python environment, from requirements.txt

.PHONY: lock
lock: venv ## resolve requirements.in into requirements.txt anew
	uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade --quiet \
	  --no-header --no-emit-index-url --no-emit-find-links requirements.in --output-file requirements.txt

# --- fast checks

.PHONY: lint
lint: venv ## formatting, ruff, mypy, yamllint, ansible-lint
	ruff format --check plugins tests
	ruff check plugins tests
	mypy -p ansible_collections.ilnmors.mail.plugins -p ansible_collections.ilnmors.mail.tests
	yamllint --strict .
	ansible-lint

.PHONY: unit
unit: venv ## unit tests of modules and filters
	pytest
