"""Tests with vLLM, which are skipped where it is not installed, or does not run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("vllm") is None:  # `make test` runs them in the environment that has it
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def kernels() -> None:
    """Skips the test where the processor cannot run vLLM's CPU build."""
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or "avx2" not in cpu.read_text().split():
        pytest.skip("vLLM's CPU build needs a processor with AVX2")
