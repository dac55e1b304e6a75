"""Tests with vLLM, which are skipped where it is not installed."""

from importlib.util import find_spec

if find_spec("vllm") is None:  # `make test` runs them in the environment that has it
    collect_ignore_glob = ["test_*.py"]
