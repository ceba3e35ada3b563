# Everything a person or CI runs. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
COLLECTION := .ansible/collections/ansible_collections/ilnmors/mail

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.ansible
export MOLECULE_COMMAND_BORDERS := 0
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

# --- environment

$(VENV)/ready: requirements.txt
	@molecule/resources/install-venv.sh $(VENV) requirements.txt
	@touch $@

$(COLLECTION):
	@molecule/resources/link-collection.sh

.PHONY: venv
venv: $(VENV)/ready $(COLLECTION) ## the Python environment, from requirements.txt

.PHONY: lock
lock: venv ## resolve each requirements.in into its requirements.txt anew
	uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade --quiet \
	  --no-header --no-emit-index-url --no-emit-find-links requirements.in --output-file requirements.txt
	for name in tools core-2.19 core-newest; do \
	  uv pip compile --universal --generate-hashes --python-version "$$([ $$name = core-newest ] && echo 3.12 || echo 3.11)" --upgrade \
	    --quiet --no-header --no-emit-index-url --no-emit-find-links tests/gates/$$name.in --output-file tests/gates/$$name.txt; \
	done
	uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade --quiet \
	  --no-header --no-emit-index-url --no-emit-find-links website/requirements.in --output-file website/requirements.txt

# --- fast checks

.PHONY: lint
lint: venv ## formatting, ruff, mypy, yamllint, ansible-lint, licences, changelog fragments, links of pages
	ruff format --check .
	ruff check .
	mypy -p ansible_collections.ilnmors.mail.plugins -p ansible_collections.ilnmors.mail.tests
	mypy -p mbsync_fetch -p mail_backup -p mail_metrics
	mypy $(wildcard roles/*/files/*.py)
	mypy website/playbooks.py
	yamllint --strict .
	ansible-lint
	reuse lint --lines
	antsibull-changelog lint
	pytest --quiet tests/unit/repository/test_pages.py

.PHONY: unit
unit: venv ## unit tests of modules, filters and programs
	pytest --numprocesses auto

# --- gates of the Ansible community, on a copy of the checkout that lies as an installed collection does

GATES := sanity-2.19 sanity-newest units documentation importer

.PHONY: gates
gates: venv ## what the Ansible community asks of a collection: ansible-test, antsibull-docs, galaxy-importer (about 15 minutes)
	@tests/gates/run.sh .cache/gates $(GATES)

.PHONY: changelog
changelog: venv ## print what the changelog would say if the version were released now
	@tests/gates/run.sh .cache/changelog changelog

# --- the documentation site

WEBSITE := .cache/website

$(WEBSITE)/venv/ready: website/requirements.txt
	@molecule/resources/install-venv.sh $(WEBSITE)/venv website/requirements.txt
	@touch $@

.PHONY: docs
docs: venv $(WEBSITE)/venv/ready ## the documentation site, into .cache/website/site
	@website/build.sh $(WEBSITE)

# --- the lab: the whole house in containers on this machine

LAB := .lab
LAB_SUITE ?= trixie
export LAB_SUITE
SUITES = trixie $(LAB_SUITE)

# Molecule makes these by itself; here for what runs without it, and for scenarios that run side by side.
.PHONY: machines
machines: venv
	@molecule/resources/dependencies.sh
	@for suite in $(sort $(SUITES)); do molecule/resources/ensure-image.sh $$suite $(LAB); done

# After the machines: both may install Debian's packages here.
.PHONY: clients
clients: machines
	@molecule/resources/ensure-clients.sh

# Which webmail has the house's name: SnappyMail where its archive is at hand, otherwise Roundcube, which Debian has.
# SNAPPYMAIL_ARCHIVE=/path names one; only the lab looks for it in the world, the tests are the same everywhere.
.PHONY: archive
archive: venv
	@molecule/resources/choose-webmail.py $(LAB)/webmail-archive $(SNAPPYMAIL_ARCHIVE)

.PHONY: lab-archive
lab-archive: venv
	@molecule/resources/choose-webmail.py --download $(LAB)/webmail-archive $(SNAPPYMAIL_ARCHIVE)

.PHONY: lab
lab: machines lab-archive ## build the house in containers on this machine and leave it running
	@docker start lab-mail lab-app lab-provider >/dev/null 2>&1 || molecule reset >/dev/null 2>&1  # stopped, or gone
	@echo "==> converging the lab (a few minutes the first time)"
	molecule converge
	@ansible mail --module-name ansible.builtin.fetch \
	  --args 'src=/etc/ssl/ilnmors-mail/ca.pem dest=$(CURDIR)/$(LAB)/ca.pem flat=true' >/dev/null
	@PYTHONPATH=.ansible/collections molecule/resources/show-lab.py

.PHONY: verify
verify: venv ## check the running lab with playbooks/verify.yml
	ansible-playbook playbooks/verify.yml

.PHONY: behaviour
behaviour: venv ## run the behaviour tests against the running lab
	pytest tests/behaviour --ansible-inventory inventories/lab

.PHONY: pictures
pictures: venv clients ## take the pictures of the READMEs anew, from the running lab
	pytest tests/behaviour/webmail/pictures.py --ansible-inventory inventories/lab

.PHONY: soak
soak: venv ## run a thousand rounds of fetches, interrupt runs everywhere, cut the power 20 times (about 45 minutes, on the lab)
	FETCH_ROUNDS=1000 INTERRUPTIONS=1000 POWER_CUTS=20 POWER_MESSAGES=1000 pytest --capture=no \
	  tests/behaviour/house/test_nothing_is_lost.py tests/behaviour/mbsync_fetch/test_fetch_rounds.py \
	  tests/behaviour/house/test_interruption.py --ansible-inventory inventories/lab

# The whole house on Debian 12 and its move to 13; on Debian 13; lost and restored; with a directory; watched.
SCENARIOS := upgrade default backup ldap monitoring

.PHONY: certificates
certificates: venv
	@mkdir -p $(LAB)
	@ansible-playbook molecule/resources/certificates.yml >$(LAB)/certificates.log || { cat $(LAB)/certificates.log; exit 1; }

# The checks compute while the machines are downloaded.
.PHONY: test
test: venv ## everything: lint, unit tests, and the whole house from bare machines
	@echo "==> checking the sources, and building the machines beside it"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target SUITES="bookworm trixie" machines lint unit clients archive certificates
	@molecule/resources/run-scenarios.sh $(LAB) $(SCENARIOS)

.PHONY: scenarios
scenarios: venv ## the whole house from bare machines, without the checks of the sources; SCENARIOS=upgrade for one
	@$(MAKE) --no-print-directory SUITES="bookworm trixie" machines clients archive certificates
	@molecule/resources/run-scenarios.sh $(LAB) $(SCENARIOS)

# SHORT=1 makes each of them a short one, which shows that it works.
.PHONY: bench
bench: machines clients lab-archive ## print what the house costs beside the least that it could (about two hours; SHORT=1: 45 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/whole.py

.PHONY: bench-site
bench-site: machines lab-archive ## print what the site playbook takes, and the house's memory (about 8 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/site_playbook.py

.PHONY: bench-backup
bench-backup: machines archive ## print what a backup and a restore cost beside tar, zstd and a house without (about 20 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/backup.py

.PHONY: bench-dovecot
bench-dovecot: machines archive ## print what Dovecot costs beside a stock one (about 4 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/dovecot.py

.PHONY: bench-postfix
bench-postfix: machines ## print what the mail host takes and delivers beside a stock one (about 10 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/postfix.py

.PHONY: bench-search
bench-search: machines archive ## print what searches of 100,000 messages take beside reading them (about 15 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/search.py

.PHONY: bench-delivery
bench-delivery: machines ## print what quotas, the search index, the check of From and syncs cost a delivery (about 12 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/delivery.py

.PHONY: bench-growth
bench-growth: machines archive ## print how each figure changes from 10 people to 1,000, and draw it (about 20 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/growth.py --picture docs/pictures/growth.svg

.PHONY: bench-fetch
bench-fetch: machines ## print how fast mail is fetched, beside plain mbsync (about 8 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/fetch.py

.PHONY: bench-strangers
bench-strangers: machines ## print how long a login takes beside silent strangers, with limits and without (about 12 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/strangers.py

.PHONY: bench-webmail
bench-webmail: machines clients lab-archive ## print how fast each webmail is, beside a stock one (about 25 minutes)
	@PYTHONPATH=.ansible/collections tests/bench/webmail.py

.PHONY: clean
clean: ## remove what the lab and the tests made
	@molecule/resources/clean.sh $(LAB)
