# The project's commands; CI calls the same ones (.ci/run is `make test`). All that is installed goes into $(VENV).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo lab test test-fast oracle chaos lint bench docs install dev clean

PYTHON ?= python3
VENV ?= .venv
export PATH := $(abspath $(VENV))/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Users have compiled bytecode: pip writes it. What is timed here must not compile itself anew in every process.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(VENV)/bin/python -m pip install -qq
FRONT_END := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
  $(wildcard labextension/*.json labextension/jupyter-config/*)

BENCHMARKS := $(filter magics reuse digest values params jobs schedules output capture history peers,$(MAKECMDGOALS))
ifneq ($(BENCHMARKS),)
.PHONY: $(BENCHMARKS)
$(BENCHMARKS): bench
	@:
endif

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 19

demo: install ## create a project in ./demo, run its notebook twice, compare the runs
	@jupyter mlops demo demo

lab: install ## open JupyterLab in the demo project (prints its address; opens no browser if there is no display)
	@[ -f demo/breast_cancer.ipynb ] || jupyter mlops new tabular-classification demo
	@flags=(); \
	[ "$$(uname)" = Darwin ] || [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || flags+=(--no-browser); \
	[ "$$(id -u)" != 0 ] || flags+=(--allow-root); \
	cd demo && exec jupyter lab "$${flags[@]}" --LabApp.default_url=/lab/tree/breast_cancer.ipynb

test: dev ## run everything: lint, kernel and server tests, front end, the wheel, a real browser
	@.ci/need chromium
	@.ci/need postgresql
	@.ci/test

test-fast: dev ## run the Python tests without kernels (except one), MLflow or a browser, while you work (a minute)
	@pytest -q -n auto -m '(not kernel and not slow) or one_kernel' tests --ignore=tests/tracking --ignore=tests/browser --ignore=tests/wheel

oracle: dev ## compare reuse with plain runs: all traps, and 10,000 random edits of random notebooks (over half an hour)
	@ORACLE_TRAPS=all pytest -q -n logical --dist worksteal tests/oracle/test_traps.py
	@WARM_TRAPS=all pytest -q tests/execution/kernels/warm/test_warm_shows.py
	@python -m tests.popular
	@python -m tests.oracle $(if $(SEED),--seed $(SEED)) $(if $(EDITS),--edits $(EDITS))

chaos: dev ## kill workers 200 times while they execute jobs; and let a year of schedules pass; prints what was lost and what ran twice (half an hour)
	@python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS))
	@python -m tests.chaos --year $(if $(SEED),--seed $(SEED))

lint: dev ## run ruff, mypy, import layers, eslint, prettier, tsc
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@cd labextension && npm run --silent lint:check

bench: install ## run the benchmarks; `make bench peers` runs only that one
	@python -m benchmarks $(BENCHMARKS)

docs: $(VENV)/.docs ## build the documentation as a web site in ./site
	@sphinx-build -q -W --keep-going -b html docs site
	@echo "site/index.html"

install: $(VENV)/.install ## install the package, editable, in its own virtual environment

dev: $(VENV)/.dev ## the same, plus what tests and lint need

clean: ## remove everything that was built and installed; keep ./demo
	@rm -rf $(VENV) benchmarks/.peers benchmarks/.history tests/popular/.env site dist build jupyter_mlops/labextension
	@rm -rf labextension/node_modules labextension/lib labextension/*.tsbuildinfo
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.python:
	@.ci/need python $(PYTHON)
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@touch $@

$(VENV)/.node: labextension/package-lock.json | $(VENV)/.python
	@.ci/need node $(VENV)
	@echo "Installing the front end's packages"
	@cd labextension && npm ci --silent --no-fund --no-audit
	@touch $@

# The build writes package-lock.json anew, with the same content: so .node is touched after it.
$(VENV)/.install: pyproject.toml $(FRONT_END) | $(VENV)/.node
	@echo "Installing the package"
	@$(PIP) -e .
	@touch $(VENV)/.node $@

$(VENV)/.dev: pyproject.toml $(FRONT_END) | $(VENV)/.node
	@echo "Installing the package with what tests and lint need"
	@$(PIP) -e '.[test,lint]'
	@touch $(VENV)/.node $(VENV)/.install $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.node
	@echo "Installing the package with the documentation's tools"
	@$(PIP) -e '.[docs]'
	@touch $(VENV)/.node $(VENV)/.install $@
