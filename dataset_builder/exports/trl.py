"""TRL 1.16: frames as images, each behind a text with its time, for `GRPOTrainer`, which takes no videos.

The columns `data_source`, `ground_truth` and `extra_info` are those that `reward_service.clients.trl` reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from ..clip import encode_jpeg
from ..finished import Build
from ..mp4 import read_mp4
from .base import Export, Row

PLACEHOLDER = "<video>"


def _schema(build: Build) -> pa.Schema:
    from datasets import Features, Image, Value

    from ..schema import features

    columns = features(build.video_format)
    content = [{"type": Value("string"), "text": Value("string")}]
    kept = {name: columns[name] for name in ("data_source", "ability", "extra_info")}
    return Features(
        {
            "prompt": [{"role": Value("string"), "content": content}],
            "images": [Image()],
            "ground_truth": Value("string"),
            **kept,
        }
    ).arrow_schema


def _convert(rows: pa.RecordBatch, folder: Path, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([_row(row) for row in rows.to_pylist()], schema)


def _row(row: Row) -> Row:
    times = iter(row["extra_info"]["frame_times"])
    prompt = [{"role": message["role"], "content": _blocks(message["content"], times)} for message in row["prompt"]]
    images = [{"bytes": jpeg, "path": None} for video in row["videos"] for jpeg in _jpegs(video)]
    kept = {name: row[name] for name in ("data_source", "ability", "extra_info")}
    return {"prompt": prompt, "images": images, "ground_truth": row["reward_model"]["ground_truth"], **kept}


def _blocks(text: str, times: Any) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = []
    for number, part in enumerate(text.split(PLACEHOLDER)):
        for time in next(times) if number else ():
            blocks += [{"type": "text", "text": f"<{time:.2f} seconds>"}, {"type": "image", "text": ""}]
        if part:
            blocks.append({"type": "text", "text": part})
    return blocks


def _jpegs(video: Any) -> list[bytes]:
    if isinstance(video, list):
        return [frame["bytes"] for frame in video]
    frames, _ = read_mp4(video["bytes"])
    return [encode_jpeg(frame) for frame in frames]


EXPORT = Export(
    name="trl",
    schema=_schema,
    convert=_convert,
    check=lambda build: None,
    howto='GRPOTrainer(train_dataset=load_dataset("parquet", data_files="{path}", split="train"), …)',
)
