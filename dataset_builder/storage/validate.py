"""Checks a build row by row, to find faults before training does."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import pyarrow as pa
import pyarrow.parquet as pq

from .. import tasks
from ..media.frame import decode_jpeg
from ..media.mp4 import read_mp4
from ..tasks import EditList, UsageError
from ..tasks.base import PLACEHOLDER
from .folder import Folder
from .shards import DATA
from .summary import MANIFEST, SUMMARY, Summary, read_manifest

DEVIATIONS = 4.0  # standard errors by which the blind answers' mean may exceed the blind baseline


@dataclass
class Findings:
    """What was checked and what is wrong.

    Attributes:
        rows: number of rows read.
        faults: (row, what is wrong).
        baselines: (rows, mean blind baseline, mean score of the blind answer), by portion.
    """

    rows: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    baselines: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        portions = {name: {"rows": n, "chance": c, "blind": b} for name, (n, c, b) in self.baselines.items()}
        return {"rows": self.rows, "faults": [{"row": row, "fault": fault} for row, fault in self.faults], "portions": portions}

    def table(self) -> str:
        """As text, for a terminal."""
        lines = [f"{'portion':24} {'rows':>6} {'chance':>7} {'blind':>7}"]
        lines += [f"{name:24} {rows:6d} {chance:7.3f} {mean:7.3f}" for name, (rows, chance, mean) in self.baselines.items()]
        lines += [f"FAULT {row}: {fault}" for row, fault in self.faults[:50]]
        if len(self.faults) > 50:
            lines.append(f"… and {len(self.faults) - 50} more")
        lines.append(f"{self.rows} rows, {len(self.faults)} faults")
        return "\n".join(lines)


def validate(place: str | os.PathLike[str]) -> Findings:
    """Check every row of a build.

    Each ground truth must score 1, with and without answer tags, and agree with the recipe. The blind answers' mean score must
    not exceed the blind baseline by more than chance allows. Every video must decode to the frames and times of its row. The
    number of placeholders must match the number of videos.

    Args:
        place: a folder, or a URL of any store that fsspec supports.

    Raises:
        UsageError: if it holds no build.
    """
    folder, findings = Folder.of(place), Findings()
    shards = [name for name in folder.names(f"{DATA}/") if name.endswith(".parquet")]
    summary = Summary.read(folder)
    if summary is None and not shards:
        raise UsageError(f"{str(place)!r} holds no build: no {DATA}/*.parquet in it")
    findings.faults += [("build", fault) for fault in _build_faults(folder, summary, shards)]
    blind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows(folder, shards, findings):
        findings.rows += 1
        info = row["extra_info"]
        name = f"{info['portion']} {info['index']}"
        try:
            findings.faults += [(name, fault) for fault in _faults(row)]
            task = tasks.get(row["data_source"])
            score = task.score(info["blind_answer"], row["reward_model"]["ground_truth"], info["chance"])
        except (ValueError, KeyError, TypeError, av.FFmpegError) as error:
            findings.faults.append((name, str(error)))
            continue
        blind[info["portion"]].append((info["chance"], score.score))
    for portion, pairs in sorted(blind.items()):
        count = len(pairs)
        baseline = sum(chance for chance, _ in pairs) / count
        mean = sum(score for _, score in pairs) / count
        spread = math.sqrt(sum((score - mean) ** 2 for _, score in pairs) / max(1, count - 1))
        findings.baselines[portion] = (count, baseline, mean)
        # a few equal scores have no spread, hence the minimum of 0.2
        if mean > baseline + DEVIATIONS * max(spread, 0.2) / math.sqrt(count):
            findings.faults.append((portion, f"blind answers score {mean:.3f}, above the blind baseline of {baseline:.3f}"))
    return findings


def _build_faults(folder: Folder, summary: Summary | None, shards: Sequence[str]) -> Iterator[str]:
    """Faults of the build as a whole: unfinished, or missing or extra files."""
    if summary is None:
        yield f"{SUMMARY} is missing"
        return
    if not summary.finished:
        yield "it is not finished; run the same build command again"
        return
    expected = {shard["file"] for shard in summary.shards}
    yield from (f"{name} is missing" for name in sorted(expected - set(shards)))
    yield from (f"{name} does not belong to it" for name in sorted(set(shards) - expected))
    if not read_manifest(folder):
        yield f"{MANIFEST} is missing"


def _rows(folder: Folder, shards: Sequence[str], findings: Findings) -> Iterator[dict[str, Any]]:
    """The rows of all readable files; adds a fault for each unreadable one."""
    for shard in shards:
        try:
            with folder.open(shard) as file, pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(batch_size=8):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            findings.faults.append((shard, f"cannot be read; run the build command again: {error}"))


def _faults(row: dict[str, Any]) -> Iterator[str]:
    info, truth = row["extra_info"], row["reward_model"]["ground_truth"]
    task = tasks.get(row["data_source"])
    gold = task.read_truth(truth)
    for response in (gold.format(), f"<answer>{gold.format()}</answer>"):
        score = task.score(response, truth, info["chance"])
        if (score.score, score.exact) != (1.0, 1.0):
            yield f"the gold answer {response!r} scores {score.score}: {score.reason}"
    placeholders = sum(message["content"].count(PLACEHOLDER) for message in row["prompt"])
    edits = EditList.from_json(info["recipe"])
    if not placeholders == len(row["videos"]) == len(edits.clips) == len(info["frame_times"]):
        yield f"{placeholders} placeholders, {len(row['videos'])} videos, {len(edits.clips)} in the recipe, {len(info['frame_times'])} lists of times"  # fmt: skip
        return
    if contradiction := task.contradiction(gold, edits, info["frame_times"], row["prompt"][-1]["content"]):
        yield f"the truth is {truth!r}, but {contradiction}"
    origin = info["source_times"][0]
    relative = tuple(round(time - origin, 3) for time in info["source_times"])
    for number, (video, edit, times) in enumerate(zip(row["videos"], edits.clips, info["frame_times"], strict=True), start=1):
        if list(edit.times(relative)) != times:
            yield f"video {number}: the recipe's times are not the row's"
        yield from (f"video {number}: {fault}" for fault in _video_faults(video, times, (info["height"], info["width"])))


def _video_faults(video: Any, times: list[float], size: tuple[int, int]) -> Iterator[str]:
    if isinstance(video, dict):
        frames, video_times = read_mp4(video["bytes"])
    else:
        frames, video_times = [decode_jpeg(image["bytes"]) for image in video], times
    if len(frames) != len(times):
        yield f"{len(frames)} frames, {len(times)} in the row"
    elif video_times != times:
        yield "frames are shown at other times than the row says"
    if wrong := {frame.shape[:2] for frame in frames} - {size}:
        yield f"frames of {sorted(wrong)}, in the row: {size}"
