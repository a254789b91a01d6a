# Each target sets up what it needs in .venv by itself, and is quick the second time.
# PYTHON=python3.12 chooses the interpreter, ARGS="-k name" goes to pytest.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PINS := requirements/pinned.txt
INSTALL := -m pip install --quiet --no-input --disable-pip-version-check
WORKERS ?= 3
ARGS ?=
ADDRESS ?= 127.0.0.1:8000
SOAK ?= long
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
MATRIX := 3.11-5.2 3.12-5.2 3.12-6.0 3.12-6.1 3.13-5.2 3.13-6.0 3.13-6.1

# Processes that tests start would compile all modules anew, each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-pooled browser-test serve lint soak bench bench-quick matrix clean $(MATRIX:%=matrix-%)

help:
	@echo "make demo | test | test-pooled | browser-test | serve | lint | soak | bench | bench-quick | matrix | clean"

demo: $(VENV)/.installed-demo
	$(PY) manage.py demo

test: $(VENV)/.installed-test
	@rm -f .coverage .coverage.*
	$(PY) -m coverage run -m pytest -n $(WORKERS) $(ARGS)
	@$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

# All tests that use PostgreSQL, through a pooler that changes the connection with each transaction.
test-pooled: $(VENV)/.installed-test
	TEST_POSTGRES_PROXY=1 $(PY) -m pytest -n $(WORKERS) $(ARGS)

# The pages in a real browser; screenshots lie in var/browser afterwards.
browser-test: $(VENV)/.installed-browser
	@test -x "$(CHROMIUM)" || { echo "browser-test: there is no Chromium here. Install one" \
		"(apt-get install chromium), or name it: make browser-test CHROMIUM=/its/path" >&2; exit 1; }
	CHROMIUM="$(CHROMIUM)" $(PY) -m pytest -m browser tests/browser $(ARGS)

# Worker and site end together, whichever ends first. The worker leads a group of its own: where it was
# killed, its children do not know, and are told to end after it; else they are left to finish.
OWN_GROUP := import os, sys; os.setpgrp(); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])

serve: $(VENV)/.installed-demo
	$(PY) manage.py migrate --verbosity 0
	@$(PY) -m gunicorn --no-control-socket --threads 8 --bind $(ADDRESS) project.wsgi & site=$$!; \
	$(PY) -c '$(OWN_GROUP)' -m celery -A project worker -B --loglevel info & worker=$$!; \
	trap 'kill $$site $$worker 2>/dev/null; wait; kill -s TERM -- -$$worker 2>/dev/null' EXIT; \
	trap 'exit 130' INT TERM HUP; \
	while kill -0 $$site 2>/dev/null && kill -0 $$worker 2>/dev/null; do sleep 1; done; exit 1

lint: $(VENV)/.installed-dev
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

soak: $(VENV)/.installed-test
	SOAK=$(SOAK) $(PY) -m pytest -m "$(if $(filter short,$(SOAK)),soak,soak or chaos)" $(ARGS)

# All of docs/performance.md, whose table it writes; ARGS="--only M1,S3" measures some of it.
bench: $(VENV)/.installed-bench
	$(PY) -m benchmarks --json bench-output/performance.json $(if $(ARGS),$(ARGS),--write)

# The gates alone, in less than three minutes.
bench-quick: $(VENV)/.installed-bench
	$(PY) -m benchmarks --quick --json bench-output/quick.json $(ARGS)

matrix: $(MATRIX:%=matrix-%)
	@echo "matrix: all of $(MATRIX) passed"

# A static rule: make skips pattern rules for phony targets, and would pass having run nothing.
# The real interpreters come before the shims of pyenv, which fail for versions not chosen.
$(MATRIX:%=matrix-%): matrix-%:
	@version=$(word 1,$(subst -, ,$*)); django=$(word 2,$(subst -, ,$*)); folder=.matrix/$*; \
	for root in "$${PYENV_ROOT:-}" "$$(pyenv root 2>/dev/null)" "$$HOME/.pyenv"; do \
		for bin in "$$root"/versions/$$version.*/bin; do \
			if test -x "$$bin/python$$version"; then PATH="$$bin:$$PATH"; fi; \
		done; \
	done; \
	echo "== Python $$version, Django $$django"; \
	python$$version -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')" || \
		{ echo "matrix: there is no working python$$version" >&2; exit 1; }; \
	if ! test $$folder/.installed -nt pyproject.toml || ! test $$folder/.installed -nt $(PINS); then \
		python$$version -m venv --clear $$folder && \
		grep -vi '^django==' $(PINS) > $$folder/pins.txt && \
		$$folder/bin/python $(INSTALL) -c $$folder/pins.txt -e '.[test]' "Django~=$$django.0" && \
		touch $$folder/.installed || exit 1; \
	fi; \
	$$folder/bin/python -m pytest -n $(WORKERS) $(ARGS)

clean:
	rm -rf $(VENV) .matrix .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache build dist demo-output bench-output

# A .venv whose interpreter has gone, or that was left half made, is made anew.
$(VENV)/.installed-%: pyproject.toml $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(PY) $(INSTALL) -c $(PINS) -e '.[$*]'
	@touch $@
