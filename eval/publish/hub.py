"""Files for the Hub: `eval.yaml` declares a dataset as a benchmark, `.eval_results/*.yaml` holds a model's results on it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from dataset_builder.tasks import UsageError

from ..results import Results
from ..run import Run

FRAMEWORK = "videossr"


def write_hub_files(
    run: Run, results: Results, dataset: str, out: Path, *, source: str | None = None, framework: str = FRAMEWORK
) -> list[Path]:
    """Write both files below `out`; returns their paths. Values are in percent.

    The Hub accepts an `eval.yaml` only if its `evaluation_framework` is on the list in huggingface.js
    (`packages/tasks/src/eval.ts`); a pull request there adds a new one.

    Args:
        dataset: the benchmark's dataset, `owner/name`.
        source: a URL that shows the run.

    Raises:
        UsageError: if `dataset` is no `owner/name`, or a column has no response yet.
    """
    if dataset.count("/") != 1:
        raise UsageError(f"dataset={dataset!r} is not allowed; allowed: owner/name")
    if isnan(results.overall.value.mean):
        raise UsageError(f"{str(run.folder)!r} has columns without an answer; repeat the command that made the run")
    benchmark, protocol = run.benchmark, run.manifest["protocol"]
    columns = [results.overall, *(results.columns if len(results.columns) > 1 else ())]
    card = {
        "name": benchmark.name, "description": f"{len(benchmark.samples)} verifiable video questions, hash {benchmark.hash}.",
        "evaluation_framework": framework,
        "tasks": [{"id": column.name, "config": "default", "split": "test"} for column in columns],
    }  # fmt: skip
    settings = ", ".join(f"{name} {value}" for name, value in protocol.items() if value != "" and name != "model")
    entries = [
        EvalResultEntry(
            dataset_id=dataset, task_id=one.name, value=round(100 * one.value.mean, 2), date=f"{datetime.now(UTC):%Y-%m-%d}", source_url=source,
            notes=f"{one.metric}, percent; {one.failed} of {one.asked} failed; {settings}; hash {benchmark.hash}",
        )
        for one in columns
    ]  # fmt: skip
    files = [out / "eval.yaml", out / ".eval_results" / f"{benchmark.name}.yaml"]
    files[1].parent.mkdir(parents=True, exist_ok=True)
    for path, content in zip(files, (card, eval_result_entries_to_yaml(entries)), strict=True):
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    return files
