"""`python -m trainer --cpu` as a process, and its metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..servers import ROOT


def start(settings: list[str], folder: Path, name: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "--cpu", *settings],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl")},
        )  # fmt: skip


def steps(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"{name}.jsonl"
    return [json.loads(line)["data"] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_steps(number: int, process: subprocess.Popen[bytes], folder: Path, name: str) -> None:
    deadline = time.monotonic() + 300
    while len(steps(folder, name)) < number:
        assert process.poll() is None, (folder / f"{name}.log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.2)
