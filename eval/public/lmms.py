"""Runs a public benchmark by lmms-eval 0.7.3, in the environment that it has for itself, and reads what it found.

lmms-eval ends with exit code 0 also where it broke, and scores requests that failed as answers: both are looked for here.
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
FAILED = "[LMMS_EVAL_REQUEST_FAILED"


@dataclass(frozen=True)
class Settings:
    """How lmms-eval asks a server.

    Attributes:
        python: of the environment that has lmms-eval.
        frames: of each video, as images behind their times.
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
    """The command line of one task; each has a process of its own, as one that breaks takes the others with it."""
    told = {
        "model": settings.model, "base_url": settings.base_url,
        "nframes": settings.frames, "max_pixels": settings.max_pixels, "is_qwen3_vl": True, "num_cpus": settings.in_flight,
        "timeout": settings.timeout,
    }  # fmt: skip
    arguments = ",".join(f"{name}={value}" for name, value in told.items())
    line = [settings.python, "-m", "lmms_eval", "--model", "async_openai", "--model_args", arguments, "--tasks", task, "--batch_size", "1",
            "--gen_kwargs", "temperature=0", "--log_samples", "--output_path", str(out)]  # fmt: skip
    line += ["--include_path", str(include)] if include else []
    return line + (["--limit", str(settings.limit)] if settings.limit else [])


def faults(settings: Settings) -> list[str]:
    """What keeps lmms-eval from running, a line each."""
    look = "from importlib.metadata import version; print(version('lmms_eval'))"
    try:
        done = subprocess.run([settings.python, "-c", look], capture_output=True, text=True, check=False)
    except OSError:
        return [
            f"lmms_python={settings.python!r} is no Python; make an environment with `pip install 'lmms_eval[qwen]=={VERSION}' decord` and name its Python"
        ]
    found = []
    if done.returncode:
        found.append(
            f"{settings.python} has no lmms-eval; `{settings.python} -m pip install 'lmms_eval[qwen]=={VERSION}' decord` brings it"
        )
    elif done.stdout.strip() != VERSION:
        found.append(
            f"{settings.python} has lmms-eval {done.stdout.strip()}; the tasks' names and metrics are those of {VERSION}"
        )
    if "HF_HOME" not in os.environ:
        found.append(
            "HF_HOME is not set, below which lmms-eval's tasks look for their videos; set it to a folder with room for them"
        )
    return found


def run(task: LmmsTask, settings: Settings, out: Path) -> float:
    """Run a benchmark, or take what an earlier run of it left in `out`; gives percent.

    Raises:
        RuntimeError: in a line, if it gave no score, or one that failed requests are part of.
    """
    found = read(task, out)
    if found is not None:
        return found
    out.mkdir(parents=True, exist_ok=True)
    log = out / "log.txt"
    with log.open("wb") as file:
        environment = {"OPENAI_API_KEY": "EMPTY", **os.environ}
        subprocess.run(command(task.name, settings, out), stdout=file, stderr=file, check=False, env=environment)
    found = read(task, out)
    if found is None:
        lines = [line for line in log.read_text(errors="replace").splitlines() if "rror" in line] or [
            "it printed nothing of it"
        ]
        raise RuntimeError(
            f"{task.name}: no score; is {task.dataset} at hand (below $HF_HOME, or to be downloaded)? {lines[-1].strip()[-300:]} ({log})"
        )
    return found


def read(task: LmmsTask, out: Path) -> float | None:
    """The score that stands in `out`, of the last run there; None if there is none.

    Raises:
        RuntimeError: if failed requests are part of it.
    """
    files = sorted(out.glob("**/*_results.json"))
    if not files:
        return None
    results: Mapping[str, Mapping[str, float]] = json.loads(files[-1].read_text())["results"]
    score = task.score(results)
    stamp = files[-1].name.removesuffix("_results.json")
    failed = sum(line.count(FAILED) > 0 for path in files[-1].parent.glob(f"{stamp}_samples_*.jsonl") for line in path.open())
    if failed:
        raise RuntimeError(
            f"{task.name}: {failed} requests failed, which lmms-eval scores as wrong answers; remove {files[-1].parent} and run it again"
        )
    return score
