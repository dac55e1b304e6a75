"""VIUBench as a task of Inspect, and a run as its log.

    inspect eval eval/publish/inspect_task.py@viubench -T videos=clips/ --model openai-api/vllm/NAME --no-log-images

Frames are sent as images, each after its time. Needs inspect-ai, which wants an environment of its own.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.log import write_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.scorer import Score, grouped, mean, metric, scorer, stderr
from inspect_ai.solver import generate, solver

from eval.backends.messages import message_content
from eval.benchmarks import VIUBENCH
from eval.benchmarks.generated import from_build, from_videos
from eval.frames import Frames
from eval.marks import score_response
from eval.results import Results
from eval.run import Run
from eval.sample import Benchmark


@task
def viubench(
    videos: str | None = None, data: str | None = None, seed: int = 0, per_column: int | None = None, max_pixels: int | None = None,
    clip_cache: str | None = None,
) -> Task:  # fmt: skip
    """The benchmark from raw videos, or the rows of a build (`data`)."""
    spec = VIUBENCH.spec(seed, per_column=per_column, max_pixels=max_pixels)
    benchmark = from_videos(spec, videos or ".", clip_cache) if data is None else from_build(data)
    return _make_task(benchmark, [_show_frames(benchmark, clip_cache), generate()], max_tokens=2048, temperature=0.0)


def write_inspect_log(run: Run, results: Results, path: Path) -> None:
    """Write a run's responses as the log of this task, in the format of the path's extension, `.eval` or `.json`."""
    protocol = run.manifest["protocol"]
    config = {name: protocol[name] for name in ("max_tokens", "temperature") if name in protocol}
    made = _make_task(run.benchmark, [_replay(run)], **config)
    with tempfile.TemporaryDirectory() as folder:
        [log] = inspect_eval(
            made, model="mockllm/model", log_dir=folder, display="none", fail_on_error=False, log_level="error"
        )
        log.eval.model, log.eval.metadata = run.label, {**(log.eval.metadata or {}), "protocol": dict(protocol)}
        write_eval_log(log, str(path))


def _make_task(benchmark: Benchmark, solvers: list[Any], **config: Any) -> Task:
    samples = [
        InspectSample(
            id=sample.id, input=sample.question, target=sample.truth,
            metadata={"column": sample.column, "source": sample.group, "chance": sample.chance, "blind": sample.blind},
        )
        for sample in benchmark.samples
    ]  # fmt: skip
    return Task(
        dataset=MemoryDataset(samples, name=benchmark.name), solver=solvers, scorer=videossr(benchmark), name=benchmark.name,
        config=GenerateConfig(**config), metadata={"hash": benchmark.hash, "benchmark": dict(benchmark.facts)},
    )  # fmt: skip


@metric
def chance() -> Any:
    """The blind baseline: what the best constant answer scores."""
    return lambda scores: sum(score.sample_metadata["chance"] for score in scores) / len(scores)


@scorer(
    metrics=[
        grouped(mean(), "column", all="groups", all_label="overall"),
        grouped(chance(), "column", all="groups", all_label="overall chance", name_template="{group_name} chance"),
        stderr(cluster="source"),
    ]
)
def videossr(benchmark: Benchmark) -> Any:
    """The metric of a sample's column."""
    samples = {sample.id: sample for sample in benchmark.samples}

    async def score(state: Any, target: Any) -> Score:
        sample = samples[state.sample_id]
        marked = score_response(sample, state.output.completion)
        value = marked.values[sample.metric]
        return Score(value=value, answer=marked.parsed, explanation=marked.reason, metadata=marked.values)

    return score


@solver
def _show_frames(benchmark: Benchmark, clip_cache: str | None) -> Any:
    """Puts a question's frames into its message, when it is its turn."""
    samples, frames = {sample.id: sample for sample in benchmark.samples}, Frames(benchmark.sampling, clip_cache)

    async def solve(state: Any, generate: Any) -> Any:
        sample = samples[state.sample_id]
        parts = message_content(sample, await asyncio.to_thread(frames.of, sample), "images")
        texts = [ContentText(text=part["text"]) if part["type"] == "text" else None for part in parts]
        content = [text or ContentImage(image=part["image_url"]["url"]) for text, part in zip(texts, parts, strict=True)]
        state.messages = [ChatMessageUser(content=content)]
        return state

    return solve


@solver
def _replay(run: Run) -> Any:
    """Answers with the responses of a run."""
    samples = {sample.id: sample for sample in run.benchmark.samples}

    async def solve(state: Any, generate: Any) -> Any:
        response = run.response(samples[state.sample_id])
        if response is None or response.text is None:
            raise RuntimeError(response.error if response else "not asked yet")
        state.output = ModelOutput.from_content(run.label, response.text)
        prompt, completion = (response.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens"))
        state.output.usage = ModelUsage(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)
        return state

    return solve
