"""verl 0.9.1: rows for its RLHFDataset.

JPEG rows hold their frames as data URIs, so that one file holds everything; MP4 rows name files next to it. In both cases
verl decodes a frame once, resizes none (sides are multiples of 64), and gives the model each frame's true time.
"""

from __future__ import annotations

import base64
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..storage.stored_build import Build
from ..tasks import UsageError
from .base import Export, from_zero

URI = b"data:image/jpeg;base64,"
VIDEOS = "videos"


def _check(build: Build) -> None:
    if build.summary.spec["sampling"] != "exact":
        raise UsageError("sampling='keyframe' gives frames at uneven times, which verl does not support; use sampling='exact'")


def _schema(build: Build) -> pa.Schema:
    from ..questions.row import features

    columns = features(build.video_format).arrow_schema
    pixels = [("max_pixels", pa.int64()), ("min_pixels", pa.int64())]
    frames = [("video", pa.list_(pa.string())), ("sample_fps", pa.float64()), *pixels]
    files = [("video", pa.string()), ("nframes", pa.int64()), *pixels]
    videos = pa.list_(pa.struct(files if build.video_format == "mp4" else frames))
    fields = [pa.field(VIDEOS, videos) if field.name == VIDEOS else field for field in columns]
    return pa.schema([field.remove_metadata() for field in fields])


def _convert(rows: pa.RecordBatch, folder: Path, schema: pa.Schema) -> pa.Table:
    videos = rows[VIDEOS]
    infos = [info for info in rows["extra_info"].to_pylist() for _ in info["frame_times"]]  # one for each video
    lengths = [len(times) for times in _per_video(rows, "frame_times")]
    inner = videos.flatten()
    if pa.types.is_list(inner.type):
        fields = {"video": pa.ListArray.from_arrays(from_zero(inner.offsets), _uris(inner.flatten().field("bytes")))}
        fields["sample_fps"] = pa.array(
            [length / end for length, end in zip(lengths, _per_video(rows, "end_times"), strict=True)]
        )
    else:
        fields = {"video": pa.array(_write(inner.to_pylist(), folder / VIDEOS)), "nframes": pa.array(lengths, pa.int64())}
    fields["max_pixels"] = fields["min_pixels"] = pa.array([info["width"] * info["height"] for info in infos], pa.int64())
    struct = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    column = pa.ListArray.from_arrays(from_zero(videos.offsets), struct)
    columns = [column if name == VIDEOS else rows[name] for name in rows.schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _per_video(rows: pa.RecordBatch, name: str) -> list[Any]:
    """The entries of an `extra_info` list with one entry per video, for all rows in one list."""
    return [entry for info in rows["extra_info"].field(name).to_pylist() for entry in info]


def _uris(jpegs: pa.Array) -> pa.StringArray:
    """Data URIs, written directly into the array's memory."""
    texts = [URI + base64.b64encode(jpeg.as_buffer()) for jpeg in jpegs]
    offsets = [0, *accumulate(map(len, texts))]
    return pa.StringArray.from_buffers(len(texts), pa.array(offsets, pa.int32()).buffers()[1], pa.py_buffer(b"".join(texts)))


def _write(videos: list[dict[str, Any]], folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    for video in videos:
        (folder / video["path"]).write_bytes(video["bytes"])
    return [str((folder / video["path"]).resolve()) for video in videos]


EXPORT = Export(
    name="verl",
    schema=_schema,
    convert=_convert,
    check=_check,
    howto="data.train_files={path} data.video_key=videos data.image_patch_size=16",
)
