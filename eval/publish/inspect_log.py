"""A run as an Inspect log (`inspect view`), every question with its answer and mark."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

from ..results import Column, Marked, Results, value
from ..run import Run

SCORER = "videossr"


def write_inspect_log(run: Run, found: Results, path: Path) -> None:
    """Write a `.eval` file, or `.json` by its ending.

    Raises:
        ModuleNotFoundError: without inspect-ai, which wants an environment of its own.
    """
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalPlan,
        EvalPlanStep,
        EvalResults,
        EvalScore,
        EvalSpec,
        EvalStats,
        write_eval_log,
    )  # fmt: skip
    from inspect_ai.model import GenerateConfig, ModelUsage

    model = f"openai-api/videossr/{found.label}"
    now = datetime.now(UTC).isoformat()
    samples = [_sample(one, run, model) for one in found.marked]
    columns = [*found.columns, found.overall]
    scores = [
        EvalScore(
            name=one.name,
            scorer=SCORER,
            scored_samples=one.asked - one.failed,
            unscored_samples=one.failed,
            metrics=_metrics(one),
        )
        for one in columns
    ]
    used = [response.usage for response in run.responses.values()]
    prompt, completion = (sum(one.get(name, 0) for one in used) for name in ("prompt_tokens", "completion_tokens"))
    usage = {model: ModelUsage(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)}
    benchmark = run.benchmark
    protocol = run.told["protocol"]
    log = EvalLog(
        version=2,
        status="success" if not found.overall.failed else "error",
        eval=EvalSpec(
            created=now, task=f"videossr/{benchmark.name}", task_id=benchmark.hash, run_id=run.folder.name, model=model,
            dataset=EvalDataset(name=benchmark.name, samples=len(samples), sample_ids=[one.sample.id for one in found.marked]),
            config=EvalConfig(), metadata={"protocol": dict(protocol), "benchmark": dict(benchmark.told), "hash": benchmark.hash},
            model_generate_config=GenerateConfig(temperature=protocol.get("temperature"), max_tokens=protocol.get("max_tokens")),
        ),
        plan=EvalPlan(steps=[EvalPlanStep(solver="generate")]),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples) - found.overall.failed, scores=scores),
        stats=EvalStats(started_at=now, completed_at=now, model_usage=usage),
        samples=samples,
    )  # fmt: skip
    write_eval_log(log, str(path))


def _metrics(column: Column) -> Mapping[str, Any]:
    from inspect_ai.log import EvalMetric

    figures = {column.metric.replace(" ", "_"): column.value.mean, "low": column.value.low, "high": column.value.high}
    figures |= {"chance": column.chance, "above_chance": column.above_chance, **column.others}
    return {
        name: EvalMetric(name=name, value=figure)
        for name, figure in figures.items()
        if figure is not None and not isnan(figure)
    }


def _sample(one: Marked, run: Run, model: str) -> Any:
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score

    sample = one.sample
    facts: dict[str, Any] = {
        "id": sample.id, "epoch": 1, "input": sample.question, "target": sample.truth,
        "metadata": {"column": sample.column, "source": sample.info.get("source", ""), "chance": sample.chance, "blind": sample.blind},
    }  # fmt: skip
    if one.mark is None:
        return EvalSample(**facts, error=EvalError(message=one.error, traceback="", traceback_ansi=""))
    output = ModelOutput.from_content(model, one.response or "")
    found = run.response(sample)
    output.time = found.seconds if found else None
    score = Score(value=value(one), answer=one.mark.parsed, explanation=one.mark.reason, metadata=one.mark.values)
    return EvalSample(**facts, output=output, scores={SCORER: score})
