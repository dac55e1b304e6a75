"""A clip as one Arrow file, or a note why a video gives none."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from ..errors import UnusableVideo
from ..tasks.statistics import ClipStats
from .clip import Clip

_BYTES = ("signatures", "stills", "background")  # fields of ClipStats that are stored as bytes; the others as JSON


def write_clip(file: BinaryIO, clip: Clip | UnusableVideo) -> None:
    """Write a clip, or the reason why there is none."""
    table = _to_table(clip)
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_clip(path: Path, fingerprint: str) -> Clip | UnusableVideo | None:
    """A cached clip; None if it is missing or unreadable and must be made again. Marks the file as just used."""
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    with suppress(OSError):  # the cache may be read-only
        os.utime(path)
    metadata = table.schema.metadata
    if b"unusable" in metadata:
        return UnusableVideo(metadata[b"unusable"].decode())
    values = json.loads(metadata[b"stats"])
    source_times = tuple(values.pop("source_times"))
    visibility = {name: tuple(changes) for name, changes in values.pop("visibility").items()}
    stats_fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    stats_fields |= {name: metadata[name.encode()] for name in _BYTES}
    stats = ClipStats(fingerprint=fingerprint, visibility=visibility, **stats_fields)
    h264 = tuple(table["h264"].to_pylist()) if "h264" in table.column_names else None
    return Clip(tuple(table["jpeg"].to_pylist()), source_times, stats, h264)


def _to_table(clip: Clip | UnusableVideo) -> pa.Table:
    if isinstance(clip, UnusableVideo):
        return pa.table({"jpeg": pa.array([], pa.binary())}).replace_schema_metadata({"unusable": str(clip)})
    stats = clip.stats
    values = {field.name: getattr(stats, field.name) for field in fields(stats) if field.name not in ("fingerprint", *_BYTES)}
    columns = {"jpeg": pa.array(clip.jpegs, pa.binary())}
    if clip.h264:
        columns["h264"] = pa.array(clip.h264, pa.binary())
    metadata = {
        "stats": json.dumps({**values, "visibility": dict(stats.visibility), "source_times": clip.source_times}),
        **{name: getattr(stats, name) for name in _BYTES},
    }
    return pa.table(columns).replace_schema_metadata(metadata)
