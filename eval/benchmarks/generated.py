"""Benchmarks generated from any videos and seed, such as VIUBench (arXiv 2511.06281); or the rows of a build."""

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

REPORTED_REASONS = 8
CACHE_FORMAT = 2  # version of the cached plan's format
_FIELDS = ("data_source", "prompt", "reward_model", "extra_info")


def from_videos(
    spec: BuildSpec, videos: str | os.PathLike[str], clip_cache: str | None = None, progress: Progress = no_progress
) -> Benchmark:
    """Plan all questions from raw videos. The plan is cached in the clip cache; videos are rendered when they are needed.

    Raises:
        UsageError: if there are no videos, or they give too few questions.
    """
    job, _ = folder_job(spec, videos, "test", ClipCache.of(clip_cache))
    path = _cache_path(job, clip_cache)
    if path is None or not path.exists():
        samples, left_out = _plan(job, progress)
        plan = {"samples": [sample.to_dict() for sample in samples], **left_out}
        if path is None:
            return _make_benchmark(job, plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(plan))
        temporary.replace(path)
    return _make_benchmark(job, json.loads(path.read_text()))


def from_build(folder: str | os.PathLike[str]) -> Benchmark:
    """The rows of a finished build of any preset; its portions are the columns.

    Raises:
        UsageError: if the folder holds no finished build.
    """
    build = Build.read(folder)
    samples: list[Sample] = []
    for shard in build.summary.shards:
        with build.folder.open(shard["file"]) as file, pq.ParquetFile(file) as parquet:
            for group in range(parquet.num_row_groups):
                for index, row in enumerate(parquet.read_row_group(group, list(_FIELDS)).to_pylist()):
                    videos = StoredVideos(build.folder.url, shard["file"], group, index)
                    samples.append(_make_sample(row, frames.reference(videos, row["extra_info"]["frame_times"])))
    spec = build.summary.spec
    facts = {name: spec[name] for name in ("preset", "seed", "frames", "max_pixels")}
    samples = _sort_by_column(samples, list(build.summary.portions))
    sampling = Sampling(spec["frames"], spec["max_pixels"], spec["sampling"])
    return Benchmark(str(spec["preset"]), "generated", tuple(samples), sampling, facts={**facts, "build": build.folder.url})


def _cache_path(job: Job, clip_cache: str | None) -> Path | None:
    """The file of the cached plan; None without a clip cache."""
    folder = ClipCache.of(clip_cache).folder
    files = [(source.url, source.stamp) for source in job.sources]
    name = digest(CACHE_FORMAT, dataset_id(job.spec, {job.split: job.sources}), files)
    return folder / "benchmarks" / f"{name}.json" if folder else None


def _plan(job: Job, progress: Progress) -> tuple[list[Sample], dict[str, Any]]:
    """(samples, {"refused": counts by reason, "unusable": reason by video})."""
    samples: list[Sample] = []
    refused: Counter[str] = Counter()
    unusable: dict[str, str] = {}
    total = job.spec.total or 0
    for outcome in make_questions(job):
        if isinstance(outcome, Question):
            row = describe(outcome, job.spec, job.split)
            samples.append(_make_sample(row, frames.reference(LiveVideos.of(outcome), row["extra_info"]["frame_times"])))
            progress(len(samples), total)
        elif outcome.portion:
            refused[outcome.reason] += 1
        else:
            unusable[outcome.source] = outcome.reason
    if len(samples) < total:
        reasons = [f"{reason} ({number})" for reason, number in refused.most_common(3)]
        reasons += [f"{name}: {reason}" for name, reason in list(unusable.items())[:3]]
        message = f"the videos give {len(samples)} of {total} questions; give more or other videos"
        raise UsageError(f"{message}. Reasons: {'; '.join(reasons)}")
    return samples, {"refused": dict(refused.most_common(REPORTED_REASONS)), "unusable": unusable}


def _sort_by_column(samples: Sequence[Sample], portions: Sequence[str]) -> list[Sample]:
    """Samples by column, in the order of the preset's portions, then by id."""
    return sorted(samples, key=lambda sample: (portions.index(sample.column), sample.id))


def _make_sample(row: Mapping[str, Any], videos: dict[str, Any]) -> Sample:
    info = row["extra_info"]
    seen = ("recipe", "fingerprint", "donor", "task_version", "width", "height", "frame_times")
    return Sample(
        id=f"{info['portion']}-{info['index']:05d}",
        column=info["portion"],
        group=info["fingerprint"],
        question=row["prompt"][-1]["content"],
        truth=row["reward_model"]["ground_truth"],
        kind="task",
        metric=str(info["metric"]),
        chance=info["chance_exact" if info["metric"] == "exact" else "chance"],
        blind=info["blind_answer"],
        videos=videos,
        content=digest([info[name] for name in seen]),
        info={"task": info["task"], "params": json.loads(info["params"]), "source": info["source"], "end": max(info["end_times"])},
    )  # fmt: skip


def _make_benchmark(job: Job, plan: Mapping[str, Any]) -> Benchmark:
    spec = job.spec
    facts = {
        "seed": spec.seed,
        "frames": spec.frames,
        "max_pixels": spec.max_pixels,
        "videos": len(job.sources) - len(plan["unusable"]),
    }
    samples = _sort_by_column([Sample(**sample) for sample in plan["samples"]], [portion.name for portion in spec.portions])
    facts |= {"refused": plan["refused"], "unusable": plan["unusable"]}
    return Benchmark(spec.preset, "generated", tuple(samples), spec.clip_sampling, facts=facts)
