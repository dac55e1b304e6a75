"""Reads the rows of VideoSSR's released data and benchmark, whose videos are lists of frames in a folder.

A row has data_source (`grounding`, `counting`, `shuffled`), prompt, videos ([{"video": [paths], "sample_fps": …}]),
reward_model.ground_truth and extra_info. Frame k of a list is shown at k / sample_fps seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from .. import tasks
from ..tasks import UsageError
from ..tasks.answers.reading import Unparseable
from ..tasks.base import PLACEHOLDER

_TASKS = {"grounding": "grounding", "counting": "counting", "shuffled": "jigsaw", "jigsaw": "jigsaw"}


@dataclass(frozen=True)
class OriginalRow:
    """One question.

    Attributes:
        number: its place in the file, from 0.
        kind: the kind of anomaly; "" where there is none.
        truth: the ground truth as our task of this name writes it.
        video: the name of the source video.
        frames, times: for each clip its frames' paths, and their seconds.
    """

    number: int
    task: str
    kind: str
    system: str
    question: str
    truth: str
    video: str
    frames: list[list[str]]
    times: list[list[float]]


def read_original(file: str | Path, root: str | Path) -> Iterator[OriginalRow]:
    """The rows of a JSON list, a file with one JSON object per line, or a Parquet file.

    Args:
        root: the folder of the frames: those of a video lie in the folder of its name, wherever the file's paths point.

    Raises:
        UsageError: naming the row that is none, or a root without frames.
    """
    path, folder = Path(file), Path(root)
    for number, row in enumerate(_read_rows(path)):
        try:
            read = _read_row(number, row, folder)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError, ZeroDivisionError) as error:
            message = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise UsageError(f"{path}, row {number}: no row of the released data: {message}") from None
        if not number and not Path(read.frames[0][0]).exists():
            raise UsageError(f"frames={str(root)!r} holds no {read.frames[0][0]}; give the folder that holds {read.video}/")
        yield read


def _read_rows(path: Path) -> list[Any]:
    try:
        if path.suffix == ".parquet":
            rows: list[Any] = pq.read_table(path).to_pylist()
            return rows
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except OSError as error:
        raise UsageError(f"original={str(path)!r} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"original={str(path)!r} is neither JSON nor Parquet: {error}") from None


def _read_row(number: int, row: Mapping[str, Any], root: Path) -> OriginalRow:
    source = row["data_source"]
    if source not in _TASKS:
        raise ValueError(f"data_source={source!r}; known: {', '.join(_TASKS)}")
    messages = {message["role"]: message["content"] for message in row["prompt"]}
    frames = [[_find(path, root) for path in video["video"]] for video in row["videos"]]
    rates = [float(video["sample_fps"]) for video in row["videos"]]
    question = messages["user"]
    if question.count(PLACEHOLDER) != len(frames) or not all(frames):
        raise ValueError(f"{question.count(PLACEHOLDER)} {PLACEHOLDER} for {len(frames)} videos")
    info = row.get("extra_info") or {}
    return OriginalRow(
        number,
        _TASKS[source],
        str(info.get("perturbation_type") or ""),
        messages.get("system", ""),
        question,
        _truth(_TASKS[source], row["reward_model"]["ground_truth"]),
        str(info.get("video_id") or Path(frames[0][0]).parent.name),
        frames,
        [[round(k / rate, 3) for k in range(len(clip))] for clip, rate in zip(frames, rates, strict=True)],
    )


def _truth(task: str, value: Any) -> str:
    """A ground truth, as text or as the values themselves."""
    answer = tasks.get(task).answer
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = json.loads(value.replace("'", '"'))
    try:
        if isinstance(value, Mapping):
            value = [value.get(label, value.get(f"{label}s")) for label in answer.labels]
        return (answer.from_parts(list(map(str, value))) if isinstance(value, Sequence) and not isinstance(value, str)
                else answer.parse(str(value))).format()  # fmt: skip
    except Unparseable as error:
        raise ValueError(f"ground_truth={value!r}: {error}") from None


def _find(path: str, root: Path) -> str:
    """The frame below `root`: the path's last two parts, or as many more as are there."""
    parts = PurePosixPath(path.removeprefix("file://")).parts
    candidates = (root.joinpath(*parts[-depth:]) for depth in range(2, len(parts)))
    return str(next((one for one in candidates if one.exists()), root.joinpath(*parts[-2:])))
