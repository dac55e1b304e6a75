"""What the Hub reads: `eval.yaml`, which makes a dataset a benchmark, and `.eval_results/*.yaml`, a model's results on it."""

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
    run: Run, found: Results, dataset: str, out: Path, *, source: str | None = None, framework: str = FRAMEWORK
) -> list[Path]:
    """Write both files below `out`; gives them.

    Values are in percent. The Hub takes an `eval.yaml` whose `evaluation_framework` is on its list (huggingface.js,
    `packages/tasks/src/eval.ts`); a new framework is added there by a pull request.

    Args:
        dataset: `owner/name` of the benchmark.
        source: a URL where the run can be looked at.

    Raises:
        UsageError: for a wrong name, or a run that is not finished.
    """
    if dataset.count("/") != 1:
        raise UsageError(f"dataset={dataset!r} is not allowed; allowed: owner/name")
    if isnan(found.overall.value.mean):
        raise UsageError(f"{str(run.folder)!r} has columns without an answer; run its command again")
    benchmark = run.benchmark
    columns = [found.overall, *(found.columns if len(found.columns) > 1 else ())]
    tasks = [{"id": column.name, "config": "default", "split": "test"} for column in columns]
    card = {
        "name": benchmark.name, "description": f"{len(benchmark.samples)} verifiable video questions, hash {benchmark.hash}.",
        "evaluation_framework": framework, "tasks": tasks,
    }  # fmt: skip
    told = ", ".join(f"{name} {given}" for name, given in run.told["protocol"].items() if given != "" and name != "model")
    entries = [
        EvalResultEntry(
            dataset_id=dataset, task_id=column.name, value=round(100 * column.value.mean, 2), date=f"{datetime.now(UTC):%Y-%m-%d}",
            source_url=source, notes=f"{column.metric}, percent; {column.failed} of {column.asked} failed; {told}; hash {benchmark.hash}",
        )
        for column in columns
    ]  # fmt: skip
    files = [out / "eval.yaml", out / ".eval_results" / f"{benchmark.name}.yaml"]
    files[1].parent.mkdir(parents=True, exist_ok=True)
    files[0].write_text(yaml.safe_dump(card, sort_keys=False))
    files[1].write_text(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False))
    return files
