"""The store of sampled clips: each video is decoded once for all seeds, levels and tasks.

One Arrow file a clip, named by the source's content and the sampling; written aside and renamed, so that builds can share
the folder. Above its size limit the clips that were not used for longest go.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from .clip import Clip, encode_jpeg
from .errors import UnusableVideo
from .identity import clip_code_digest, codec_versions, digest
from .mp4 import encode_pictures
from .sampling import Sampling
from .sources import ContentMemory, Source, check_unchanged, open_source, reading
from .stats import measure
from .tasks.clip_stats import ClipStats
from .video import sample

IN_MEMORY = 4  # clips that each process keeps at hand
LEFT_BEHIND = 3600  # seconds after which nobody writes a clip any more


def clip_cache_folder(given: str | None = None) -> Path | None:
    """Where clips are kept: what was given, else VIDEOSSR_CLIP_CACHE, else the user's cache folder; "" for nowhere."""
    chosen = given if given is not None else os.environ.get("VIDEOSSR_CLIP_CACHE", "~/.cache/videossr")
    return Path(chosen).expanduser() if chosen else None


def clip_cache_limit(given: float | None = None) -> int:
    """Most bytes kept there: what was given in GB, else VIDEOSSR_CLIP_CACHE_GB, else 20 GB.

    Raises:
        ValueError: if that is not a positive number.
    """
    chosen = given if given is not None else os.environ.get("VIDEOSSR_CLIP_CACHE_GB", "20")
    try:
        limit = float(chosen)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise ValueError(f"clip_cache_gb={chosen!r} is not allowed; allowed: a number of GB above 0")
    return int(limit * 1e9)


class ClipStore:
    """Sampled clips of sources, from memory, from the folder, or decoded now.

    Args:
        folder: where clips are kept; None keeps none.
        limit: most bytes in the folder.
        with_h264: whether clips come with their frames as H.264 pictures.
    """

    def __init__(
        self, folder: Path | None, limit: int, sampling: Sampling, *, with_h264: bool, storage_options: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        self._folder, self._limit = folder, limit
        self._sampling, self._with_h264 = sampling, with_h264
        self._storage_options = storage_options
        self._memory = ContentMemory(folder)
        self._recent: OrderedDict[str, Clip | UnusableVideo] = OrderedDict()
        self._unchecked = limit  # bytes written since the folder's size was last looked at: look at the first write

    def clip(self, source: Source) -> Clip:
        """The clip of a source.

        Raises:
            UnusableVideo: if the video gives none.
            SourceChanged: if the file is not what it was when the build began.
            BuildError: if it could not be read this time.
        """
        found = self._recent.get(source.url)
        if found is None:
            found = self._load(source)
            self._recent[source.url] = found
            if len(self._recent) > IN_MEMORY:
                self._recent.popitem(last=False)
        self._recent.move_to_end(source.url)
        if isinstance(found, UnusableVideo):
            raise found
        return found

    def _load(self, source: Source) -> Clip | UnusableVideo:
        try:
            check_unchanged(source)
            found = self._stored(source.fingerprint or self._memory.content_of(source))
            if found is None:
                video, content = open_source(source, self._storage_options)
                if not source.fingerprint:
                    self._memory.remember([replace(source, fingerprint=content)])
                    found = self._stored(content)
                if found is None:
                    with reading(source):
                        found = self._decode(video, content)
                    return self._keep(content, found)
        except UnusableVideo as error:
            return error
        if isinstance(found, Clip) and self._with_h264 and not found.h264:
            return self._keep(found.stats.fingerprint, _with_pictures(found))
        return found

    def _decode(self, video: str | bytes, content: str) -> Clip | UnusableVideo:
        try:
            taken = sample(video, self._sampling)
        except UnusableVideo as error:
            return error
        stats = measure(taken.frames, taken.times, taken.end, content)
        clip = Clip(tuple(map(encode_jpeg, taken.frames)), taken.times, stats)
        return _with_pictures(clip) if self._with_h264 else clip

    def _path(self, content: str) -> Path | None:
        if not self._folder or not content:
            return None
        key = digest(content, asdict(self._sampling), clip_code_digest(), codec_versions())
        return self._folder / key[:2] / f"{key}.clip"

    def _stored(self, content: str) -> Clip | UnusableVideo | None:
        path = self._path(content)
        return _read(path, content) if path else None

    def _keep(self, content: str, found: Clip | UnusableVideo) -> Clip | UnusableVideo:
        path = self._path(content)
        if path:
            self._write(path, found)
        return found

    def _write(self, path: Path, found: Clip | UnusableVideo) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            table = _to_table(found)
            with os.fdopen(handle, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            size = os.path.getsize(aside)
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        self._unchecked += size
        if self._unchecked > self._limit // 20:
            self._evict()
            self._unchecked = 0

    def _evict(self) -> None:
        assert self._folder
        for aside in self._folder.glob("*/.*.tmp"):  # a process was killed while it wrote
            with suppress(FileNotFoundError):
                if time.time() - aside.stat().st_mtime > LEFT_BEHIND:
                    aside.unlink()
        entries = []
        for path in self._folder.glob("*/*.clip"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another build's eviction was faster
                continue
            entries.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries, key=lambda entry: entry[0]):
            if total <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def _with_pictures(clip: Clip) -> Clip:
    return replace(clip, h264=tuple(encode_pictures(enumerate(clip.jpegs))))


def _to_table(found: Clip | UnusableVideo) -> pa.Table:
    if isinstance(found, UnusableVideo):
        return pa.table({"jpeg": pa.array([], pa.binary())}).replace_schema_metadata({"unusable": str(found)})
    stats = found.stats
    facts = {
        "width": stats.width,
        "height": stats.height,
        "end": stats.end,
        "motion": stats.motion,
        "visibility": dict(stats.visibility),
        "source_times": found.source_times,
        "times": stats.times,
    }
    columns = {"jpeg": pa.array(found.jpegs, pa.binary())}
    if found.h264:
        columns["h264"] = pa.array(found.h264, pa.binary())
    metadata = {"stats": json.dumps(facts), "signatures": stats.signatures, "background": stats.background}
    return pa.table(columns).replace_schema_metadata(metadata)


def _read(path: Path, content: str) -> Clip | UnusableVideo | None:
    """A stored clip; None if there is none that can be read: then it is made again."""
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    with suppress(OSError):  # somebody else's cache, which may only be read
        os.utime(path)
    metadata = table.schema.metadata
    if b"unusable" in metadata:
        return UnusableVideo(metadata[b"unusable"].decode())
    facts = json.loads(metadata[b"stats"])
    stats = ClipStats(
        fingerprint=content,
        width=facts["width"],
        height=facts["height"],
        times=tuple(facts["times"]),
        end=facts["end"],
        motion=tuple(facts["motion"]),
        visibility={name: tuple(values) for name, values in facts["visibility"].items()},
        signatures=metadata[b"signatures"],
        background=metadata[b"background"],
    )
    h264 = tuple(table["h264"].to_pylist()) if "h264" in table.column_names else None
    return Clip(tuple(table["jpeg"].to_pylist()), tuple(facts["source_times"]), stats, h264)
