"""Loads the videos of samples: rendered live, read from a build, or decoded from files, at the same size for every model."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.sources.source import Source
from dataset_builder.storage.stored_videos import StoredVideos

from .sample import Sample, Video


def live_reference(videos: LiveVideos, times: list[list[float]]) -> dict[str, Any]:
    """A reference to videos that are rendered from an edit list; `times` has the frame times of each video, in seconds."""
    return {"kind": "live", **asdict(videos), "times": times}


def stored_reference(videos: StoredVideos, times: list[list[float]]) -> dict[str, Any]:
    """A reference to the videos of a build's row; `times` has the frame times of each video, in seconds."""
    return {"kind": "stored", **asdict(videos), "times": times}


def file_reference(sources: list[Source]) -> dict[str, Any]:
    """A reference to whole video files."""
    return {"kind": "files", "sources": [asdict(source) for source in sources]}


class Frames:
    """Loads the videos of samples; safe to use from several threads.

    Args:
        sampling: how frames are sampled from source videos.
        clip_cache: folder for sampled clips, as in `ClipCache.of`.
    """

    def __init__(self, sampling: Sampling, clip_cache: str | None = None) -> None:
        self._sampling, self._cache = sampling, ClipCache.of(clip_cache)
        self._thread_local = threading.local()
        self._source_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, sample: Sample) -> list[Video]:
        """The sample's videos, in order.

        Raises:
            UnusableVideo, SourceChanged, BuildError: if a source gives no frames.
            OSError: if a build cannot be read.
        """
        reference: Mapping[str, Any] = sample.videos
        kind = reference["kind"]
        fields = {name: value for name, value in reference.items() if name not in ("kind", "times")}
        if kind == "files":
            return [self._decode_source(Source(**source)) for source in fields["sources"]]
        if kind == "live":
            for source in filter(None, (fields["source"], fields["donor"])):
                self._decode_source(Source(**source))  # fills the clip cache, under the lock of this source
        jpegs = (LiveVideos if kind == "live" else StoredVideos)(**fields).jpegs(self._store)
        return [Video(tuple(frames), tuple(times)) for frames, times in zip(jpegs, reference["times"], strict=True)]

    def _decode_source(self, source: Source) -> Video:
        with self._source_locks[source.url]:
            clip = self._store.clip(source)
        return Video(clip.jpegs, clip.source_times)

    @property
    def _store(self) -> ClipStore:
        """This thread's clip store."""
        store: ClipStore | None = getattr(self._thread_local, "store", None)
        if store is None:
            store = self._thread_local.store = ClipStore(self._cache, self._sampling, with_h264=False)
        return store
