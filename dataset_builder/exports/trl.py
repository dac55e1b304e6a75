"""TRL 1.16: frames as images, each after a text with its time, because `GRPOTrainer` takes no videos.

`reward_service.clients.trl` reads the columns `data_source`, `ground_truth` and `extra_info`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from ..media.frame import encode_jpeg
from ..media.mp4 import read_mp4
from ..storage.stored_build import Build
from ..tasks.base import PLACEHOLDER
from .base import Export, Row, from_zero


def _schema(build: Build) -> pa.Schema:
    from datasets import Features, Image, Value

    from ..questions.row import features

    columns = features(build.video_format)
    content = [{"type": Value("string"), "text": Value("string")}]
    return Features(
        {
            "prompt": [{"role": Value("string"), "content": content}],
            "images": [Image()],
            "ground_truth": Value("string"),
            **{name: columns[name] for name in ("data_source", "ability", "extra_info")},
        }
    ).arrow_schema


def _convert(rows: pa.RecordBatch, folder: Path, schema: pa.Schema) -> pa.Table:
    texts = rows.select(["prompt", "extra_info"]).to_pylist()
    columns = {
        "prompt": pa.array([_prompt(row) for row in texts], schema.field("prompt").type),
        "images": _images(rows["videos"], schema.field("images").type),
        "ground_truth": rows["reward_model"].field("ground_truth"),
        **{name: rows[name] for name in ("data_source", "ability", "extra_info")},
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _prompt(row: Row) -> list[Row]:
    times = iter(row["extra_info"]["frame_times"])
    return [{"role": message["role"], "content": _blocks(message["content"], times)} for message in row["prompt"]]


def _images(videos: pa.ListArray, kind: pa.DataType) -> pa.ListArray:
    """For each row, the frames of all its videos in one list; JPEGs are not copied."""
    inner = videos.flatten()
    if pa.types.is_list(inner.type):
        frames = inner.flatten()
        offsets = from_zero(inner.offsets).take(from_zero(videos.offsets))
        return pa.ListArray.from_arrays(offsets, frames).cast(kind)
    rows = [[{"bytes": jpeg, "path": None} for video in row for jpeg in _jpegs(video)] for row in videos.to_pylist()]
    return pa.array(rows, kind)


def _blocks(text: str, times: Any) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = []
    for number, part in enumerate(text.split(PLACEHOLDER)):
        for time in next(times) if number else ():
            blocks += [{"type": "text", "text": f"<{time:.2f} seconds>"}, {"type": "image", "text": ""}]
        if part:
            blocks.append({"type": "text", "text": part})
    return blocks


def _jpegs(video: Row) -> list[bytes]:
    frames, _ = read_mp4(video["bytes"])
    return [encode_jpeg(frame) for frame in frames]


EXPORT = Export(
    name="trl",
    schema=_schema,
    convert=_convert,
    check=lambda build: None,
    howto='GRPOTrainer(train_dataset=load_dataset("parquet", data_files="{path}", split="train"), …)',
)
