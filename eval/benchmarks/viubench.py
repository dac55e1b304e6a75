"""VIUBench (paper, section on evaluation): nine columns of 300 questions, made from any videos and seed; or any build's rows."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dataset_builder.identity import digest
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.sampling import Sampling
from dataset_builder.progress import Progress, no_progress
from dataset_builder.questions.identity import dataset_id
from dataset_builder.questions.job import Job, folder_job, make_questions
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.questions.maker import Question
from dataset_builder.questions.row import describe
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.stored_build import Build
from dataset_builder.storage.stored_videos import StoredVideos
from dataset_builder.tasks import UsageError

from .. import frames
from ..sample import Benchmark, Sample

COLUMN_SIZE = 300
COLUMNS = 9
SHOWN_REFUSALS = 8
FORMAT = 2  # of the file that keeps them
_FIELDS = ("data_source", "prompt", "reward_model", "extra_info")


def viubench_spec(seed: int, frames: int = 48, max_pixels: int = 512 * 512, per_column: int = COLUMN_SIZE) -> BuildSpec:
    """What VIUBench asks.

    Raises:
        UsageError: for a value that is not allowed.
    """
    return BuildSpec(
        "viubench", seed=seed, samples=COLUMNS * per_column, frames=frames, max_pixels=max_pixels, video_format="jpeg"
    )


def from_videos(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    clip_cache: str | None = None,
    progress: Progress = no_progress,
) -> Benchmark:
    """Plan all questions from raw videos. They are kept, so that this takes time once; videos are rendered when they are asked.

    Raises:
        UsageError: if there are no videos, or they give too few questions.
    """
    job, _ = folder_job(spec, videos, "test", ClipCache.of(clip_cache))
    path = _kept_at(job, clip_cache)
    if path is None or not path.exists():
        samples, left_out = _plan(job, progress)
        told = {"samples": [sample.to_dict() for sample in samples], **left_out}
        if path is None:
            return _benchmark(job, told)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text(json.dumps(told))
        aside.replace(path)
    return _benchmark(job, json.loads(path.read_text()))


def from_build(folder: str | os.PathLike[str]) -> Benchmark:
    """The rows of a finished build, of whatever preset; its portions are the columns.

    Raises:
        UsageError: if there is none.
    """
    build = Build.read(folder)
    samples: list[Sample] = []
    for shard in build.summary.shards:
        with build.folder.open(shard["file"]) as file, pq.ParquetFile(file) as parquet:
            for group in range(parquet.num_row_groups):
                for place, row in enumerate(parquet.read_row_group(group, list(_FIELDS)).to_pylist()):
                    videos = StoredVideos(build.folder.url, shard["file"], group, place)
                    samples.append(_sample(row, frames.stored(videos, row["extra_info"]["frame_times"])))
    spec = build.summary.spec
    facts = {name: spec[name] for name in ("preset", "seed", "frames", "max_pixels")}
    samples = _in_order(samples, list(build.summary.portions))
    sampling = Sampling(spec["frames"], spec["max_pixels"], spec["sampling"])
    return Benchmark(str(spec["preset"]), "viubench", tuple(samples), sampling, told={**facts, "build": build.folder.url})


def _kept_at(job: Job, clip_cache: str | None) -> Path | None:
    folder = ClipCache.of(clip_cache).folder
    places = [(source.url, source.stamp) for source in job.sources]
    return (
        folder / "benchmarks" / f"{digest(FORMAT, dataset_id(job.spec, {job.split: job.sources}), places)}.json"
        if folder
        else None
    )


def _plan(job: Job, progress: Progress) -> tuple[list[Sample], dict[str, Any]]:
    samples: list[Sample] = []
    refused: Counter[str] = Counter()
    unusable: dict[str, str] = {}
    wanted = job.spec.total or 0
    for made in make_questions(job):
        if not isinstance(made, Question):
            if made.portion:
                refused[made.reason] += 1
            else:
                unusable[made.source] = made.reason
            continue
        row = describe(made, job.spec, job.split)
        samples.append(_sample(row, frames.live(LiveVideos.of(made), row["extra_info"]["frame_times"])))
        progress(len(samples), wanted)
    if len(samples) < wanted:
        reasons = [
            *(f"{reason} ({number})" for reason, number in refused.most_common(3)),
            *(f"{name}: {reason}" for name, reason in list(unusable.items())[:3]),
        ]
        told = "; ".join(reasons)
        raise UsageError(f"the videos give {len(samples)} of {wanted} questions; give more or other ones. Most refused: {told}")
    return samples, {"refused": dict(refused.most_common(SHOWN_REFUSALS)), "unusable": unusable}


def _in_order(samples: Sequence[Sample], portions: Sequence[str]) -> list[Sample]:
    """Column by column, as the preset has them."""
    return sorted(samples, key=lambda sample: (portions.index(sample.column), sample.id))


def _sample(row: Mapping[str, Any], videos: dict[str, Any]) -> Sample:
    info = row["extra_info"]
    metric = str(info["metric"])
    shown = [
        info["recipe"],
        info["fingerprint"],
        info["donor"],
        info["task_version"],
        info["width"],
        info["height"],
        info["frame_times"],
    ]
    return Sample(
        id=f"{info['portion']}-{info['index']:05d}",
        column=info["portion"],
        group=info["fingerprint"],
        question=row["prompt"][-1]["content"],
        truth=row["reward_model"]["ground_truth"],
        kind="task",
        metric=metric,
        chance=info["chance_exact" if metric == "exact" else "chance"],
        blind=info["blind_answer"],
        videos=videos,
        content=digest(shown),
        info={"task": info["task"], "params": json.loads(info["params"]), "source": info["source"], "end": max(info["end_times"])},
    )  # fmt: skip


def _benchmark(job: Job, told: Mapping[str, Any]) -> Benchmark:
    spec = job.spec
    facts = {
        "seed": spec.seed,
        "frames": spec.frames,
        "max_pixels": spec.max_pixels,
        "videos": len(job.sources) - len(told["unusable"]),
    }
    samples = tuple(_in_order([Sample(**sample) for sample in told["samples"]], [portion.name for portion in spec.portions]))
    return Benchmark(
        "viubench",
        "viubench",
        samples,
        spec.clip_sampling,
        told={**facts, "refused": told["refused"], "unusable": told["unusable"]},
    )
