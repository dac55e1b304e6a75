"""VIUBench (paper, section on evaluation): nine columns of 300 questions, made from any videos and seed; or any build's rows."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dataset_builder.cache import clip_cache_folder
from dataset_builder.finished import Build
from dataset_builder.identity import dataset_id, digest
from dataset_builder.progress import Progress, silent
from dataset_builder.questions import Question
from dataset_builder.references import LiveVideos, StoredVideos
from dataset_builder.sampling import Sampling
from dataset_builder.schema import describe
from dataset_builder.spec import BuildSpec
from dataset_builder.work import Work, each_question, folder_work

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
        ValueError: for a value that is not allowed.
    """
    return BuildSpec(
        "viubench", seed=seed, samples=COLUMNS * per_column, frames=frames, max_pixels=max_pixels, video_format="jpeg"
    )


def from_videos(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    clip_cache: str | None = None,
    progress: Progress = silent,
) -> Benchmark:
    """Plan all questions from raw videos. They are kept, so that this takes time once; videos are rendered when they are asked.

    Raises:
        ValueError: if there are no videos, or they give too few questions.
    """
    work, _ = folder_work(spec, videos, "test", clip_cache)
    path = _kept_at(work, clip_cache)
    if path is None or not path.exists():
        samples, left_out = _plan(work, progress)
        told = {"samples": [sample.to_dict() for sample in samples], **left_out}
        if path is None:
            return _benchmark(work, told)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text(json.dumps(told))
        aside.replace(path)
    return _benchmark(work, json.loads(path.read_text()))


def from_build(folder: str | os.PathLike[str]) -> Benchmark:
    """The rows of a finished build, of whatever preset; its portions are the columns.

    Raises:
        ValueError: if there is none.
    """
    build = Build.read(folder)
    samples: list[Sample] = []
    for shard in build.summary["shards"]:
        path = build.folder.absolute() / shard["file"]
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, list(_FIELDS)).to_pylist()
                samples += [_sample(row, frames.stored(StoredVideos(str(path), group, at), row["extra_info"]["frame_times"])) for at, row in enumerate(rows)]  # fmt: skip
    spec = build.summary["spec"]
    told = {name: spec[name] for name in ("config", "seed", "frames", "max_pixels")}
    samples = _in_order(samples, list(build.summary["portions"]))
    sampling = Sampling(spec["frames"], spec["max_pixels"], spec["sampling"])
    return Benchmark(str(spec["config"]), "viubench", tuple(samples), sampling, told={**told, "build": str(build.folder)})


def _kept_at(work: Work, clip_cache: str | None) -> Path | None:
    folder = clip_cache_folder(clip_cache)
    places = [(source.url, source.stamp) for source in work.sources]
    return (
        folder / "benchmarks" / f"{digest(FORMAT, dataset_id(work.spec, {work.split: work.sources}), places)}.json"
        if folder
        else None
    )


def _plan(work: Work, progress: Progress) -> tuple[list[Sample], dict[str, Any]]:
    samples: list[Sample] = []
    refused: Counter[str] = Counter()
    unusable: dict[str, str] = {}
    wanted = work.spec.total or 0
    for made in each_question(work):
        if not isinstance(made, Question):
            if made.portion:
                refused[made.reason] += 1
            else:
                unusable[made.source] = made.reason
            continue
        row = describe(made, work.spec, work.split)
        videos = LiveVideos(asdict(made.source), asdict(made.donor) if made.donor else None, row["extra_info"]["recipe"])
        samples.append(_sample(row, frames.live(videos, row["extra_info"]["frame_times"])))
        progress(len(samples), wanted)
    if len(samples) < wanted:
        reasons = [
            *(f"{reason} ({number})" for reason, number in refused.most_common(3)),
            *(f"{name}: {reason}" for name, reason in list(unusable.items())[:3]),
        ]
        told = "; ".join(reasons)
        raise ValueError(f"the videos give {len(samples)} of {wanted} questions; give more or other ones. Most refused: {told}")
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


def _benchmark(work: Work, told: Mapping[str, Any]) -> Benchmark:
    spec = work.spec
    facts = {
        "seed": spec.seed,
        "frames": spec.frames,
        "max_pixels": spec.max_pixels,
        "videos": len(work.sources) - len(told["unusable"]),
    }
    samples = tuple(_in_order([Sample(**sample) for sample in told["samples"]], [portion.name for portion in spec.portions]))
    return Benchmark(
        "viubench",
        "viubench",
        samples,
        spec.clip_sampling,
        told={**facts, "refused": told["refused"], "unusable": told["unusable"]},
    )
