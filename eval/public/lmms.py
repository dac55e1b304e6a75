"""Runs a public benchmark with lmms-eval 0.7.3, in its own Python environment, and reads the score.

lmms-eval exits with code 0 even after an error, and scores failed requests as answers; both are detected here.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .suite import LmmsTask

VERSION = "0.7.3"
FAILED_REQUEST = "[LMMS_EVAL_REQUEST_FAILED"


@dataclass(frozen=True)
class Settings:
    """How lmms-eval queries a server.

    Attributes:
        python: the Python of lmms-eval's environment.
        frames: frames of each video; sent as images, each after its time.
        in_flight: number of concurrent requests.
        timeout: seconds for one response.
        limit: only the first so many questions; None for all.
    """

    python: str
    model: str
    base_url: str
    frames: int = 48
    max_pixels: int = 512 * 512
    in_flight: int = 16
    timeout: float = 600.0
    limit: int | None = None


def command(task: str, settings: Settings, out: Path, include: Path | None = None) -> list[str]:
    """The command line for one task. Each task gets its own process, because an error in one would end all.

    `include` is a folder with further tasks.
    """
    model_args = {
        "model": settings.model, "base_url": settings.base_url,
        "nframes": settings.frames, "max_pixels": settings.max_pixels, "is_qwen3_vl": True, "num_cpus": settings.in_flight,
        "timeout": settings.timeout,
    }  # fmt: skip
    arguments = ",".join(f"{name}={value}" for name, value in model_args.items())
    line = [settings.python, "-m", "lmms_eval", "--model", "async_openai", "--model_args", arguments, "--tasks", task, "--batch_size", "1",
            "--gen_kwargs", "temperature=0", "--log_samples", "--output_path", str(out)]  # fmt: skip
    line += ["--include_path", str(include)] if include else []
    return line + (["--limit", str(settings.limit)] if settings.limit else [])


def find_faults(settings: Settings) -> list[str]:
    """The reasons why lmms-eval cannot run, one line each."""
    script = "from importlib.metadata import version; print(version('lmms_eval'))"
    try:
        process = subprocess.run([settings.python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return [
            f"lmms_python={settings.python!r} cannot be started; create an environment with `pip install 'lmms_eval[qwen]=={VERSION}' decord` and give its Python"
        ]
    faults = []
    if process.returncode:
        faults.append(
            f"{settings.python} has no lmms-eval; `{settings.python} -m pip install 'lmms_eval[qwen]=={VERSION}' decord` installs it"
        )
    elif process.stdout.strip() != VERSION:
        faults.append(
            f"{settings.python} has lmms-eval {process.stdout.strip()}; this table needs the task and metric names of {VERSION}"
        )
    if "HF_HOME" not in os.environ:
        faults.append(
            "HF_HOME is not set; lmms-eval stores the benchmarks' videos there, so set it to a folder with enough space"
        )
    return faults


def run(task: LmmsTask, settings: Settings, out: Path) -> float:
    """The score in percent: from an earlier run in `out` if there is one, else by running the benchmark.

    Raises:
        RuntimeError: if there is no score, or it includes failed requests; the message is one line.
    """
    score = read_score(task, out)
    if score is not None:
        return score
    out.mkdir(parents=True, exist_ok=True)
    log = out / "log.txt"
    with log.open("wb") as file:
        environment = {"OPENAI_API_KEY": "EMPTY", **os.environ}
        subprocess.run(command(task.name, settings, out), stdout=file, stderr=file, check=False, env=environment)
    score = read_score(task, out)
    if score is None:
        lines = [line for line in log.read_text(errors="replace").splitlines() if "rror" in line] or ["it printed no error"]
        raise RuntimeError(
            f"{task.name}: no score; is {task.dataset} available (in $HF_HOME, or for download)? {lines[-1].strip()[-300:]} ({log})"
        )
    return score


def read_score(task: LmmsTask, out: Path) -> float | None:
    """The score in percent of the last run in `out`; None if there is none.

    Raises:
        RuntimeError: if it includes failed requests.
    """
    files = sorted(out.glob("**/*_results.json"))
    if not files:
        return None
    results: Mapping[str, Mapping[str, float]] = json.loads(files[-1].read_text())["results"]
    score = task.score(results)
    stamp = files[-1].name.removesuffix("_results.json")
    failed = sum(FAILED_REQUEST in line for path in files[-1].parent.glob(f"{stamp}_samples_*.jsonl") for line in path.open())
    if failed:
        raise RuntimeError(
            f"{task.name}: {failed} requests failed, which lmms-eval scores as wrong answers; remove {files[-1].parent} and run it again"
        )
    return score
