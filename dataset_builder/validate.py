"""Checks a build row by row: what a user would otherwise find out in training."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import pyarrow as pa
import pyarrow.parquet as pq

from . import tasks
from .build import MANIFEST, SUMMARY
from .clip import decode_jpeg
from .mp4 import read_mp4
from .shards import DATA
from .tasks import EditList
from .tasks.base import PLACEHOLDER

DEVIATIONS = 4.0  # how far the blind answers' mean may lie above their floor, in standard errors


@dataclass
class Findings:
    """What was checked and what is wrong.

    Attributes:
        rows: how many rows were read.
        faults: (row, what is wrong).
        floors: for each portion (rows, mean floor, mean score of the blind answer).
    """

    rows: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    floors: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        floors = {name: {"rows": n, "chance": c, "blind": b} for name, (n, c, b) in self.floors.items()}
        return {"rows": self.rows, "faults": [{"row": row, "fault": fault} for row, fault in self.faults], "portions": floors}


def validate(folder: str | os.PathLike[str]) -> Findings:
    """Check every row of a build.

    Each gold answer must score 1, in bare form and in tags, and be what the recipe makes true; the blind answers' mean must not
    exceed the floor by more than chance allows; every video must decode to the frames and times that the row tells;
    placeholders must match the videos.

    Raises:
        ValueError: if the folder holds no build.
    """
    findings = Findings()
    findings.faults += [("build", fault) for fault in _build_faults(Path(folder))]
    blind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows(Path(folder), findings):
        findings.rows += 1
        info = row["extra_info"]
        name = f"{info['portion']} {info['index']}"
        try:
            findings.faults += [(name, fault) for fault in _faults(row)]
            task = tasks.get(row["data_source"])
            score = task.score(info["blind_answer"], row["reward_model"]["ground_truth"], info["chance"])
        except (ValueError, KeyError, av.FFmpegError) as error:
            findings.faults.append((name, str(error)))
            continue
        blind[info["portion"]].append((info["chance"], score.score))
    for portion, pairs in sorted(blind.items()):
        count = len(pairs)
        floor = sum(chance for chance, _ in pairs) / count
        mean = sum(score for _, score in pairs) / count
        spread = math.sqrt(sum((score - mean) ** 2 for _, score in pairs) / max(1, count - 1))
        findings.floors[portion] = (count, floor, mean)
        # few rows may all be alike: then their spread says nothing
        if mean > floor + DEVIATIONS * max(spread, 0.2) / math.sqrt(count):
            findings.faults.append((portion, f"blind answers score {mean:.3f}, above their floor of {floor:.3f}"))
    return findings


def _build_faults(folder: Path) -> Iterator[str]:
    """Is the build finished, and is every shard there?"""
    if not (folder / SUMMARY).exists():
        yield f"{SUMMARY} is missing"
        return
    summary = json.loads((folder / SUMMARY).read_text())
    if not summary["finished"]:
        yield "it is not finished; run the same build command again"
        return
    told = {shard["file"] for shard in summary["shards"]}
    found = {f"{DATA}/{path.name}" for path in folder.glob(f"{DATA}/*.parquet")}
    yield from (f"{name} is missing" for name in sorted(told - found))
    yield from (f"{name} does not belong to it" for name in sorted(found - told))
    if not (folder / MANIFEST).exists():
        yield f"{MANIFEST} is missing"


def _rows(folder: Path, findings: Findings) -> Iterator[dict[str, Any]]:
    """The rows of all files that can be read; the others are findings."""
    shards = sorted(folder.glob(f"{DATA}/*.parquet"))
    if not shards and not (folder / SUMMARY).exists():
        raise ValueError(f"{str(folder)!r} holds no build: no {DATA}/*.parquet in it")
    for shard in shards:
        try:
            with pq.ParquetFile(shard) as file:
                for batch in file.iter_batches(batch_size=8):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            findings.faults.append((f"{DATA}/{shard.name}", f"cannot be read; run the build command again: {error}"))


def _faults(row: dict[str, Any]) -> Iterator[str]:
    info, truth = row["extra_info"], row["reward_model"]["ground_truth"]
    task = tasks.get(row["data_source"])
    for response in (truth, f"<answer>{truth}</answer>"):
        score = task.score(response, truth, info["chance"])
        if (score.score, score.exact) != (1.0, 1.0):
            yield f"the gold answer {response!r} scores {score.score}: {score.reason}"
    asked = sum(message["content"].count(PLACEHOLDER) for message in row["prompt"])
    edits = EditList.from_json(info["recipe"])
    if not asked == len(row["videos"]) == len(edits.clips) == len(info["frame_times"]):
        yield f"{asked} placeholders, {len(row['videos'])} videos, {len(edits.clips)} in the recipe, {len(info['frame_times'])} lists of times"  # fmt: skip
        return
    if contradiction := task.contradiction(task.read_truth(truth), edits, info["frame_times"]):
        yield f"the truth is {truth!r}, but {contradiction}"
    origin = info["source_times"][0]
    relative = tuple(round(time - origin, 3) for time in info["source_times"])
    for number, (video, edit, times) in enumerate(zip(row["videos"], edits.clips, info["frame_times"], strict=True), start=1):
        if list(edit.times(relative)) != times:
            yield f"video {number}: the recipe's times are not the row's"
        yield from (f"video {number}: {fault}" for fault in _video_faults(video, times, (info["height"], info["width"])))


def _video_faults(video: Any, times: list[float], size: tuple[int, int]) -> Iterator[str]:
    if isinstance(video, dict):
        frames, shown = read_mp4(video["bytes"])
        if shown != times:
            yield (
                f"{len(shown)} frames, {len(times)} told"
                if len(shown) != len(times)
                else "frames are shown at other times than told"
            )
    else:
        frames = [decode_jpeg(image["bytes"]) for image in video]
        if len(frames) != len(times):
            yield f"{len(frames)} frames, {len(times)} told"
    wrong = {frame.shape[:2] for frame in frames} - {size}
    if wrong:
        yield f"frames of {sorted(wrong)}, told: {size}"


def table(findings: Findings) -> str:
    """The findings as text, for a terminal."""
    lines = [f"{'portion':24} {'rows':>6} {'floor':>7} {'blind':>7}"]
    lines += [f"{name:24} {rows:6d} {floor:7.3f} {mean:7.3f}" for name, (rows, floor, mean) in findings.floors.items()]
    lines += [f"FAULT {row}: {fault}" for row, fault in findings.faults[:50]]
    if len(findings.faults) > 50:
        lines.append(f"… and {len(findings.faults) - 50} more")
    lines.append(f"{findings.rows} rows, {len(findings.faults)} faults")
    return "\n".join(lines)


def to_json(findings: Findings) -> str:
    return json.dumps(findings.to_dict(), indent=2)
