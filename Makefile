# Everything one does with a checkout of esante; `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
VENDOR := src/esante/core/web/static/vendor
VIEWER := src/esante/services/imaging/static/viewer
DEFINITIONS := src/esante/core/fhir/definitions

# Stamps: what stands here was installed after the files it depends on last changed.
PYTHON_STAMP := .venv/.installed
NODE_STAMP := node_modules/.installed
VENDOR_STAMP := $(VENDOR)/LICENCES.txt
VIEWER_STAMP := $(VIEWER)/LICENCE.txt

R4 := $(DEFINITIONS)/r4.bin
PROFILES := $(DEFINITIONS)/profiles.bin

.PHONY: help install demo check test test-long bench wheel lock clean test-programs healthnet-lab

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(PYTHON_STAMP) $(VENDOR_STAMP) $(VIEWER_STAMP) $(R4) $(PROFILES)  ## install the pinned dependencies into .venv and node_modules

$(PYTHON_STAMP): requirements/uv.txt requirements/base.txt requirements/dev.txt pyproject.toml tools/install_python.sh
	tools/install_python.sh
	@touch $@

$(NODE_STAMP): package.json package-lock.json .npmrc
	npm ci --include=dev --no-audit --no-fund --loglevel=error
	@touch $@

$(VENDOR_STAMP): $(NODE_STAMP) tools/build_assets.py | $(PYTHON_STAMP)
	$(BIN)/python tools/build_assets.py

$(VIEWER_STAMP): tools/build_viewer.py .npmrc | $(PYTHON_STAMP)
	$(BIN)/python tools/build_viewer.py

$(R4): $(NODE_STAMP) tools/build_fhir_definitions.py $(wildcard $(DEFINITIONS)/*.py) | $(PYTHON_STAMP)
	$(BIN)/python tools/build_fhir_definitions.py
	@touch $@

$(PROFILES): $(R4) package.json tools/build_fhir_profiles.py tools/profile_codes.py tools/profile_rules.py $(wildcard src/esante/core/fhir/profiles/*.py)
	$(BIN)/python tools/build_fhir_profiles.py
	@touch $@

demo: install  ## a synthetic Luxembourg on http://127.0.0.1:8000 (more: make demo ARGS="--port 8001 --persons 500")
	$(BIN)/esante demo $(ARGS)

check: install  ## lint, format, types, import contract, translations, names
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_translations.py
	$(BIN)/python tools/check_texts.py
	$(BIN)/python tools/check_names.py

test-programs:
	@tools/install_test_programs.sh

test: install test-programs  ## check and every test but the long ones (some only: make test ARGS=tests/core/storage)
	@$(MAKE) --no-print-directory check; checked=$$?; \
	echo '$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long" --junitxml=reports/tests.xml $(ARGS)'; \
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long" --junitxml=reports/tests.xml $(ARGS); tested=$$?; \
	[ $$checked -eq 0 ] || echo "FAILED: make check, see above the tests."; \
	exit $$((checked || tested))

test-long: install test-programs  ## the long tests, and the tours of pages in all languages
	ESANTE_TEST_LANGUAGES="fr de en lb" $(BIN)/python -m pytest -m "long or tour" --junitxml=reports/tests-long.xml $(ARGS)

healthnet-lab: install test-programs  ## the health network in namespaces, with real packets (as root)
	$(BIN)/python -m pytest tests/services/healthnet/lab $(ARGS)

bench: install  ## measure against the figures that the project promises
	$(BIN)/python -m bench $(ARGS)

wheel: install  ## dist/esante-*.whl, which carries the front-end files and the FHIR definitions
	rm -f dist/esante-*.whl
	$(BIN)/hatchling build --target wheel
	$(BIN)/python tools/check_wheel.py dist

lock: $(PYTHON_STAMP)  ## pin again after a change of requirements (newest versions: make lock ARGS=--upgrade)
	@for name in uv base dev bench; do tools/lock.sh $$name $(ARGS) || exit 1; done
	npm install --package-lock-only --no-audit --no-fund --loglevel=error

clean:  ## remove what make made; the data in var/ stays
	rm -rf .venv .tools node_modules dist build $(VENDOR) $(VIEWER) $(R4) $(PROFILES)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
