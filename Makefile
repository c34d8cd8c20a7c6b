# Everything runs in a virtual environment, .venv, made with the first Python 3.11 or newer that is
# found; another one: make PYTHON=/path/to/python. Without make: the plain commands in README.md.

PYTHON ?= $(shell for python in python3 python python3.13 python3.12 python3.11; do \
	if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-slow test-lower lint types contracts benchmark-smoke clean

demo: $(VENV)/installed  ## install the package and write report.html on the packaged system
	$(BIN)/flownet report urgent_care --budget 60 --output report.html

test: $(VENV)/developed  ## the tests, without the slow ones
	$(PYTEST) -n auto -m "not slow"

test-slow: $(VENV)/developed  ## the slow tests and the notebooks
	$(PYTEST) -n auto -m slow

test-lower:  ## the tests on the oldest versions of the dependencies that are supported
	$(MAKE) VENV=.venv-lower .venv-lower/lowered
	NUMBA_CACHE_DIR=$(CURDIR)/.venv-lower/numba \
		.venv-lower/$(notdir $(BIN))/python -m pytest -n auto -m "not slow"

lint: $(VENV)/developed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/developed
	$(BIN)/mypy

contracts: $(VENV)/developed
	$(BIN)/lint-imports

benchmark-smoke: $(VENV)/developed
	$(BIN)/python -m benchmarks --smoke

clean:
	rm -rf .venv .venv-lower report.html

$(VENV)/created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed, and was \
	not found (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml | $(VENV)/created
	$(PIP) --editable .
	@touch $@

$(VENV)/developed: pyproject.toml requirements-dev.txt | $(VENV)/created
	$(PIP) --requirement requirements-dev.txt
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@ $(VENV)/installed

$(VENV)/lowered: pyproject.toml requirements-lower.txt | $(VENV)/created
	$(PIP) --requirement requirements-lower.txt
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@
