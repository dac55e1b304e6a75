"""Runs public benchmarks with lmms-eval, in its own Python environment, and reads the scores.

lmms-eval exits with code 0 even after an error, and scores failed requests as answers; both are detected here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .suite import LmmsTask

VERSION = "0.7.3"
INSTALL = f"-m pip install 'lmms_eval[qwen]=={VERSION}' decord"
FAILED_REQUEST = "[LMMS_EVAL_REQUEST_FAILED"
_FIND = "from importlib.util import find_spec; print(find_spec('lmms_eval').submodule_search_locations[0])"


def command(
    python: str, task: str, out: Path, include: Path | None = None, limit: int | None = None, **model: Any
) -> list[str]:
    """The command line for one task. Each task gets its own process, because an error in one would end all.

    Args:
        include: a folder with further tasks.
        limit: only the first so many questions.
        model: arguments of its client of servers, which sends frames as images, each after its time.
    """
    arguments = ",".join(f"{name}={value}" for name, value in {**model, "is_qwen3_vl": True}.items())
    line = [
        python,
        "-m",
        "lmms_eval",
        "--model",
        "async_openai",
        "--model_args",
        arguments,
        "--tasks",
        task,
        "--batch_size",
        "1",
    ]
    line += ["--gen_kwargs", "temperature=0", "--log_samples", "--output_path", str(out)]
    line += ["--include_path", str(include)] if include else []
    return line + (["--limit", str(limit)] if limit else [])


def find_faults(python: str, tasks: Sequence[LmmsTask]) -> Iterator[str]:
    """The reasons why lmms-eval cannot run, or has no such task or metric by its own files, one line each."""
    if "HF_HOME" not in os.environ:
        yield "HF_HOME is not set; lmms-eval stores the benchmarks' videos there, so set it to a folder with enough space"
    try:
        process = subprocess.run([python, "-c", _FIND], capture_output=True, text=True, check=False)
    except OSError:
        yield f"lmms_python={python!r} cannot be started; create an environment, `python {INSTALL}`, and give its Python"
        return
    if process.returncode:
        yield f"{python} has no lmms-eval; `{python} {INSTALL}` installs it"
        return
    metrics = installed_metrics(Path(process.stdout.strip()))
    for task in tasks:
        own = set().union(
            *(found for name, found in metrics.items() if name == task.name or (task.prefix and name.startswith(task.prefix)))
        )
        if task.metric not in own:
            known = f"knows its metrics {', '.join(sorted(own))}" if own else "has no such task"
            yield f"{task.name}: no metric {task.metric}; this lmms-eval {known} (version {VERSION} has it)"


def installed_metrics(package: Path) -> dict[str, set[str]]:
    """The metrics of each task, by the task files of an installed lmms-eval."""
    metrics: dict[str, set[str]] = defaultdict(set)
    for path in package.glob("tasks/**/*.yaml"):
        text = path.read_text(encoding="utf-8", errors="replace")
        for included in re.findall(r"^include: *(\S+)", text, re.MULTILINE):
            if (path.parent / included).is_file():
                text += "\n" + (path.parent / included).read_text(encoding="utf-8", errors="replace")
        if name := re.search(r"^task: *[\"']?([\w-]+)", text, re.MULTILINE):
            metrics[name[1]] |= set(re.findall(r"^ *- *metric: *[\"']?([^\s\"'#]+)", text, re.MULTILINE))
    return metrics


def environment() -> dict[str, str]:
    """The environment variables of its process."""
    return {"OPENAI_API_KEY": "EMPTY", **os.environ}


def read_score(task: LmmsTask, out: Path) -> float | None:
    """The score in percent of the last run in `out`; None if there is none.

    Raises:
        RuntimeError: if it includes failed requests.
    """
    files = sorted(out.glob("**/*_results.json"))
    if not files:
        return None
    results: Mapping[str, Mapping[str, float]] = json.loads(files[-1].read_text())["results"]
    stamp = files[-1].name.removesuffix("_results.json")
    failed = sum(FAILED_REQUEST in line for path in files[-1].parent.glob(f"{stamp}_samples_*.jsonl") for line in path.open())
    if failed:
        advice = f"remove {files[-1].parent} and run it again"
        raise RuntimeError(f"{task.name}: {failed} requests failed, which lmms-eval scores as wrong answers; {advice}")
    return task.score(results)
