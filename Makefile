# Everything runs in .venv, made here. On a bare machine with Python 3.11+ and pip, each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint bench-build clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: .venv/.build ## build and score tasks from rendered footage, leave demo/index.html
	$(BIN)/videossr demo --out demo

test: .venv/.dev .venv-datasets3/.ready lint ## everything that can be tested here
	VIDEOSSR_DATASETS3_PYTHON=$(CURDIR)/.venv-datasets3/bin/python $(BIN)/python -m pytest -n auto

lint: .venv/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

bench-build: .venv/.dev ## speed of sampling and building, as ratios measured side by side
	$(PIP) decord==0.6.0
	$(BIN)/python -m tests.benchmarks.bench_build

clean: ## remove what the other targets made
	rm -rf .venv .venv-datasets3 demo preview bench

.venv/.build: pyproject.toml constraints.txt
	@echo "setting up .venv with what building needs"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt -e '.[build]'
	@touch $@

.venv/.dev: .venv/.build
	@echo "adding what the tests need, PyTorch among it"
	$(PIP) -c constraints.txt -e '.[dev]'
	@ldconfig -p | grep -q libavcodec.so || { \
	  echo "installing the ffmpeg package: torchcodec, which reads the videos of rows, loads its libraries"; \
	  $$(test "$$(id -u)" = 0 || echo sudo) sh -c 'apt-get update -qq && apt-get install -y -qq ffmpeg' >/dev/null; }
	@touch $@

.venv-datasets3/.ready: pyproject.toml constraints-datasets3.txt
	@echo "setting up .venv-datasets3: the loading script is tested with datasets 3.6"
	test -x .venv-datasets3/bin/python || $(PYTHON) -m venv .venv-datasets3
	.venv-datasets3/bin/pip install --quiet --disable-pip-version-check -r constraints-datasets3.txt
	@touch $@
