"""A run as an Inspect log (`inspect view`): every question with its response and score."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

from ..results import Column, Results, ScoredSample
from ..run import Run

SCORER = "videossr"


def write_inspect_log(run: Run, results: Results, path: Path) -> None:
    """Write a log in the format of the path's extension, `.eval` or `.json`.

    Raises:
        ModuleNotFoundError: without inspect-ai, which needs its own environment.
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

    model = f"openai-api/videossr/{results.label}"
    now = datetime.now(UTC).isoformat()
    samples = [_eval_sample(item, run, model) for item in results.scored_samples]
    columns = [*results.columns, results.overall]
    scores = [
        EvalScore(
            name=column.name,
            scorer=SCORER,
            scored_samples=column.asked - column.failed,
            unscored_samples=column.failed,
            metrics=_metrics(column),
        )
        for column in columns
    ]
    usages = [response.usage for response in run.responses.values()]
    prompt, completion = (sum(usage.get(name, 0) for usage in usages) for name in ("prompt_tokens", "completion_tokens"))
    usage = {model: ModelUsage(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)}
    benchmark = run.benchmark
    protocol = run.manifest["protocol"]
    log = EvalLog(
        version=2,
        status="success" if not results.overall.failed else "error",
        eval=EvalSpec(
            created=now, task=f"videossr/{benchmark.name}", task_id=benchmark.hash, run_id=run.folder.name, model=model,
            dataset=EvalDataset(name=benchmark.name, samples=len(samples), sample_ids=[item.sample.id for item in results.scored_samples]),
            config=EvalConfig(), metadata={"protocol": dict(protocol), "benchmark": dict(benchmark.facts), "hash": benchmark.hash},
            model_generate_config=GenerateConfig(temperature=protocol.get("temperature"), max_tokens=protocol.get("max_tokens")),
        ),
        plan=EvalPlan(steps=[EvalPlanStep(solver="generate")]),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples) - results.overall.failed, scores=scores),
        stats=EvalStats(started_at=now, completed_at=now, model_usage=usage),
        samples=samples,
    )  # fmt: skip
    write_eval_log(log, str(path))


def _metrics(column: Column) -> Mapping[str, Any]:
    from inspect_ai.log import EvalMetric

    values = {column.metric.replace(" ", "_"): column.value.mean, "low": column.value.low, "high": column.value.high}
    values |= {"chance": column.chance, "above_chance": column.above_chance, **column.others}
    return {
        name: EvalMetric(name=name, value=value) for name, value in values.items() if value is not None and not isnan(value)
    }


def _eval_sample(item: ScoredSample, run: Run, model: str) -> Any:
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score

    sample = item.sample
    fields: dict[str, Any] = {
        "id": sample.id, "epoch": 1, "input": sample.question, "target": sample.truth,
        "metadata": {"column": sample.column, "source": sample.info.get("source", ""), "chance": sample.chance, "blind": sample.blind},
    }  # fmt: skip
    if item.score is None:
        return EvalSample(**fields, error=EvalError(message=item.error, traceback="", traceback_ansi=""))
    output = ModelOutput.from_content(model, item.response or "")
    response = run.response(sample)
    output.time = response.seconds if response else None
    score = Score(value=item.value, answer=item.score.parsed, explanation=item.score.reason, metadata=item.score.values)
    return EvalSample(**fields, output=output, scores={SCORER: score})
