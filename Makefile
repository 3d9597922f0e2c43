# `make` alone lists what there is to do.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --require-hashes --requirement
LOCK := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock, from the lists in pyproject.toml'
export FLASK_SKIP_DOTENV := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test test-postgresql test-deploy test-document test-browser lint seed lock audit soak bench clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 24

run: .venv/installed  ## start the server for development, with sample data in a new database
	@$(BIN)/flask --app wsgi seed --if-new
	@echo "Sample accounts: john@mechtech.example, jane@mechtech.example, admin@mechtech.example; password: password123"
	@$(BIN)/flask --app wsgi send-mail & exec $(BIN)/gunicorn --reload wsgi:app

test: .venv/installed-tests  ## run the test suite
	$(BIN)/pytest --numprocesses 3 --dist loadgroup
	@echo "Left out: test-postgresql, test-deploy (nginx, the units, the alerts) and test-browser (the pages)."

test-postgresql: .venv/installed-tests  ## run the tests on PostgreSQL, at DATABASE_URL or a throwaway one; they need redis-server and libfaketime
	$(BIN)/python -m tests.postgresql_server $(BIN)/pytest --numprocesses 3 --dist loadgroup -m 'not soak and not sqlite' \
		tests/api tests/postgresql tests/server/test_races.py tests/server/test_crashes.py tests/server/test_story.py

test-deploy: .venv/installed-tests  ## run the tests of deploy/; they need nginx, prometheus, systemd, git, curl and openssl
	$(BIN)/pytest -m 'deploy and not document' tests/deploy

test-document: .venv/installed-tests  ## follow docs/deploy.md in a fresh Debian; it needs root, debootstrap and free ports
	$(BIN)/pytest -m document tests/deploy

test-browser: .venv/installed-tests .node/installed  ## run the tests of the pages and of TypeScript's types; Chromium and npm must be there
	$(BIN)/pytest -m browser tests/browser

lint: .venv/installed-tests  ## check the style of the code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

seed: .venv/installed  ## add the sample data, once
	@$(BIN)/flask --app wsgi seed

lock: .venv/installed-tests  ## pin what the packages in pyproject.toml need: write the requirements, with hashes
	$(LOCK) --group service --output-file requirements.txt
	$(LOCK) --group postgresql --constraints requirements.txt --output-file requirements-postgresql.txt
	$(LOCK) --group tests --constraints requirements.txt --constraints requirements-postgresql.txt \
		--output-file tests/requirements.txt

# --strict: a package that could not be looked up is a failure.
audit: .venv/installed-tests  ## check the pinned packages for known vulnerabilities, and the code for weak spots
	$(BIN)/pip-audit --strict --disable-pip --requirement requirements.txt --requirement requirements-postgresql.txt
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml mechtech wsgi.py gunicorn.conf.py

soak: .venv/installed-tests  ## run the tests that take minutes
	$(BIN)/pytest -m soak

bench: .venv/installed-tests  ## measure the server against its floors; needs wrk and PostgreSQL
	$(BIN)/python tests/bench/run.py

clean:  ## remove the environment and what was built; databases stay
	rm -rf .venv .node .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MechTECH needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/made requirements.txt
	$(INSTALL) requirements.txt
	@touch $@

.venv/installed-tests: .venv/installed tests/requirements.txt
	$(INSTALL) tests/requirements.txt
	@touch $@

# What checks the accessibility of a page, and what makes and compiles types, with hashes too: npm ci takes nothing else.
.node/installed: tests/browser/package.json tests/browser/package-lock.json
	mkdir -p .node && cp $^ .node && npm ci --silent --prefix .node
	@touch $@
