"""A vLLM server on loopback, of the environment `.venv-vllm`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from .servers import free_port

PYTHON = os.environ.get("VIDEOSSR_VLLM_PYTHON", sys.executable)
# no reports, no cores of its own, 1 GiB for the cache
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1",
}  # fmt: skip


def skip_without_kernels() -> None:
    """Skip the test where the processor cannot run vLLM's CPU build."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if "avx2" not in flags:
        pytest.skip("vLLM's CPU build needs a processor with AVX2")


@contextmanager
def vllm_serving(model: Path, folder: Path, *flags: str, seconds: float = 600) -> Iterator[str]:
    """Serve a checkpoint under the name `tiny` until the block ends. Gives the URL up to `/v1`; the log is in `folder`."""
    skip_without_kernels()
    port, log = free_port(), folder / "vllm.log"
    command = [
        "serve",
        str(model),
        f"--port={port}",
        "--host=127.0.0.1",
        "--served-model-name=tiny",
        "--dtype=float32",
        "--enforce-eager",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PYTHON, "-m", "vllm.entrypoints.cli.main", *command, "--max-num-seqs=8", "--trust-request-mm-kwargs", *flags],
            stdout=output, stderr=output, env={**os.environ, **ENVIRONMENT}, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + seconds
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"vLLM did not start: {log.read_text()[-3000:]}")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
