# Sets itself up and does the project's jobs. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
pip = "$(1)" -m pip --disable-pip-version-check --no-input -qq
PIP := $(call pip,$(BIN)/python)
# What the project needs to run, and what it needs to be tested (which includes the former).
RUN := .venv/.ready-to-run
DEV := .venv/.ready-to-test

# The language server that tests/editors drive; without it they are skipped.
EDITORS := tests/editors/node_modules/.ready
# Other people's clients of the exchange, each by itself: two of them are packages of one name.
CLIENT_NAMES := connector python-binance
CLIENTS := $(CLIENT_NAMES:%=.venv/clients/%/.ready)
# The libraries that a benchmark measures beside ours: no dependency of the project.
PEERS := .venv/peers/.ready
NPM := npm --no-audit --no-fund --ignore-scripts --loglevel=error

.PHONY: help demo test lint editors clients bench site release soak clean lock install uninstall

help: ## list the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

demo: $(RUN) ## run the main job on the built-in exchange: no keys, no network (KEEP=1 stays up)
	@$(BIN)/runner demo $(if $(KEEP),--keep)

test: $(DEV) ## run all tests (ARGS='-k name' narrows them)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Histories as one hour allows on two cores; SOAK=0.1 takes a tenth.
SOAK ?= 1
many = $(shell awk 'BEGIN { print int($(1) * $(SOAK)) }')

soak: $(DEV) ## run for an hour with kills and reloads, play histories for one (SOAK=0.1: a tenth)
	@$(BIN)/python -m bench soak --minutes $(call many,60)
	export RUNNER_HISTORIES=$(call many,60000) RUNNER_PAIRS=$(call many,12000)
	export RUNNER_TWICE=$(call many,2000) RUNNER_TAKEOVERS=$(call many,4000)
	export RUNNER_KILLS=$(call many,12000) RUNNER_KILL_SECONDS=$(call many,1500)
	timeout 2h $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
		tests/simulation tests/crash $(ARGS)

lint: $(DEV) ## look at style and types
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

editors: $(EDITORS) ## install the language server that the editor tests drive (node, npm)

clients: $(CLIENTS) ## install other people's clients, which trade on the paper exchange in tests

bench: $(DEV) $(PEERS) ## measure speed beside floors and peers (takes minutes)
	@$(BIN)/python -m bench $(ARGS)

site: $(DEV) ## build README.md and docs/ as a site in build/site; a lost link is an error
	@rm -rf build/site
	$(BIN)/sphinx-build -q -W --keep-going -c docs/site -d build/pages -b html . build/site
	echo "build/site/index.html"

# What a release consists of. It is tried in an environment of its own before it is listed.
DIST ?= dist

release: ## build wheel and sdist, try the wheel, list its parts (CycloneDX), in dist/
	@work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	echo "Building"
	$(PYTHON) -m venv "$$work/env"
	env="$$work/env/bin/python"
	$(call pip,$$env) install --require-hashes --only-binary :all: -r requirements.lock
	rm -rf '$(DIST)'
	"$$env" -m hatchling build -t sdist -d '$(DIST)' 2> /dev/null
	dist=$$(realpath '$(DIST)')
	mkdir "$$work/sdist" "$$work/empty"
	tar -xzf "$$dist"/*.tar.gz --strip-components 1 -C "$$work/sdist"
	(cd "$$work/sdist" && "$$env" -m hatchling build -t wheel -d "$$dist" 2> /dev/null)
	echo "Trying the wheel in an environment of its own"
	$(call pip,$$env) install --no-index --no-deps '$(DIST)'/*.whl
	"$$env" -m pip check > /dev/null
	(cd "$$work/empty" && "$$work/env/bin/runner" version && "$$work/env/bin/runner" demo) | sed -n '1p;$$p'
	echo "Listing its parts"
	$(PYTHON) -m venv "$$work/tools"
	$(call pip,$$work/tools/bin/python) install --require-hashes --only-binary :all: -r requirements-release.lock
	version=$$(sed -n 's/^Version: //p' "$$work/sdist/PKG-INFO")
	sed -i "s/^dynamic = .*/version = \"$$version\"/" "$$work/sdist/pyproject.toml"
	"$$work/tools/bin/cyclonedx-py" environment "$$env" --pyproject "$$work/sdist/pyproject.toml" \
		--output-reproducible --of JSON --output-file '$(DIST)/sbom.cdx.json' 2> /dev/null
	(cd '$(DIST)' && sha256sum -- * > SHA256SUMS && cat SHA256SUMS)

install: ## install the systemd service, or bring it up to date (root; PREFIX, DESTDIR)
	@PYTHON='$(PYTHON)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' systemd/install.sh install

uninstall: ## take the service away; settings, rules and journals stay
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' systemd/install.sh uninstall

clean: ## remove what was built, .venv included
	@rm -rf .venv tests/editors/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A week's cool-down keeps out fresh malicious uploads. The locks hold names, versions and hashes
# of every platform's wheels, no addresses.
UV := uv==0.13.9
PICK = "$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --upgrade \
	--exclude-newer '7 days' --only-binary :all: --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock'
COMPILE = $(PICK) pyproject.toml --extra build

lock: ## choose versions anew and write the hash-locked requirement files
	@tools=$$(mktemp -d)
	trap 'rm -rf "$$tools"' EXIT
	echo "Choosing versions anew"
	$(PYTHON) -m venv "$$tools"
	"$$tools/bin/python" -m pip install -qq --disable-pip-version-check '$(UV)'
	$(COMPILE) --output-file requirements.lock > /dev/null
	$(COMPILE) --extra test --extra docs --constraint requirements.lock --output-file requirements-dev.lock > /dev/null
	$(PICK) --group release --constraint requirements-dev.lock \
		--output-file requirements-release.lock > /dev/null
	for client in $(CLIENT_NAMES); do
		$(PICK) --constraint requirements-dev.lock "tests/clients/$$client.in" \
			--output-file "tests/clients/$$client.lock" > /dev/null
	done
	$(PICK) bench/peers.in --output-file bench/peers.lock > /dev/null
	if grep -n '://' requirements*.lock tests/clients/*.lock bench/peers.lock; then
		echo "An address got into a lock file: remove it from the index settings of uv." >&2
		exit 1
	fi
	grep -c '==' requirements*.lock tests/clients/*.lock bench/peers.lock
	cd tests/editors
	$(NPM) install --package-lock-only --omit-lockfile-registry-resolved=true > /dev/null
	$(PYTHON) -c "$$STRIP"

# An entry's home page is an address too.
define STRIP
import json, pathlib
path = pathlib.Path("package-lock.json")
lock = json.loads(path.read_text("utf-8"))
for package in lock["packages"].values():
    package.pop("funding", None)
path.write_text(json.dumps(lock, indent=2) + "\n", "utf-8")
endef
export STRIP

$(RUN): requirements.lock pyproject.toml
	@$(call install,requirements.lock)
	touch $(RUN)

$(CLIENTS): .venv/clients/%/.ready: tests/clients/%.lock | $(DEV)
	@rm -rf $(@D)
	echo "Set-up: installing the client $*"
	$(PIP) install --require-hashes --only-binary :all: --target $(@D) -r $<
	touch $@

$(PEERS): bench/peers.lock | $(DEV)
	@rm -rf $(@D)
	echo "Set-up: installing what the benchmarks measure beside ours"
	$(PIP) install --require-hashes --only-binary :all: --target $(@D) -r $<
	touch $@

$(EDITORS): tests/editors/package-lock.json tests/editors/package.json
	@$(NPM) --prefix tests/editors ci
	touch $(EDITORS)

$(DEV): requirements-dev.lock requirements.lock pyproject.toml
	@$(call install,requirements-dev.lock)
	touch $(RUN) $(DEV)

# Makes .venv unless a working one stands there, and installs exactly what the lock file $(1) says.
define install
if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	echo "$(PYTHON) is missing or older than 3.11. Install a newer one and type: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2
	exit 1
fi
if ! $(BIN)/python -m pip --version > /dev/null 2>&1; then
	if ! $(PYTHON) -c 'import ensurepip' 2> /dev/null; then
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
			echo "$(PYTHON) cannot make virtual environments here. Type this, then make again:" >&2
			echo "  sudo apt-get install -y python3-venv" >&2
			exit 1
		fi
		echo "Set-up: installing the Debian package python3-venv"
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv > /dev/null
	fi
	echo "Set-up: making .venv with $$($(PYTHON) --version)"
	rm -rf .venv
	trap 'rm -rf .venv' ERR INT TERM
	$(PYTHON) -m venv .venv
	trap - ERR INT TERM
fi
echo "Set-up: installing the $$(grep -c '^[a-z0-9].*==' $(1)) packages of $(1), hashes checked"
$(PIP) install --require-hashes --only-binary :all: -r $(1)
echo "Set-up: installing the command $(BIN)/runner"
$(PIP) install --no-index --no-deps --no-build-isolation -e .
echo "Set-up: done in $$SECONDS s"
endef
