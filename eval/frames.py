"""The videos of samples: rendered, read from a build, or decoded from files, once and at one size for every model."""

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


def live(videos: LiveVideos, times: list[list[float]]) -> dict[str, Any]:
    """A reference to videos that are rendered from an edit list."""
    return {"kind": "live", **asdict(videos), "times": times}


def stored(videos: StoredVideos, times: list[list[float]]) -> dict[str, Any]:
    """A reference to the videos of a build's row."""
    return {"kind": "stored", **asdict(videos), "times": times}


def files(sources: list[Source]) -> dict[str, Any]:
    """A reference to whole video files."""
    return {"kind": "files", "sources": [asdict(source) for source in sources]}


class Frames:
    """Opens samples' videos, from any number of threads.

    Args:
        sampling: how frames are taken from source videos.
        clip_cache: folder for sampled clips, as in `ClipCache.of`.
    """

    def __init__(self, sampling: Sampling, clip_cache: str | None = None) -> None:
        self._sampling, self._cache = sampling, ClipCache.of(clip_cache)
        self._own = threading.local()
        self._one_at_a_time: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, sample: Sample) -> list[Video]:
        """The sample's videos, in their order.

        Raises:
            UnusableVideo, SourceChanged, BuildError: if a source gives no frames.
            OSError: if a build cannot be read.
        """
        told: Mapping[str, Any] = sample.videos
        kind, rest = told["kind"], {name: value for name, value in told.items() if name not in ("kind", "times")}
        if kind == "files":
            return [self._whole(Source(**source)) for source in rest["sources"]]
        if kind == "live":
            for source in filter(None, (rest["source"], rest["donor"])):
                self._whole(Source(**source))  # decoded by one thread, if it is not kept yet
        jpegs = (LiveVideos if kind == "live" else StoredVideos)(**rest).jpegs(self._store)
        return [Video(tuple(own), tuple(times)) for own, times in zip(jpegs, told["times"], strict=True)]

    def _whole(self, source: Source) -> Video:
        with self._one_at_a_time[source.url]:
            clip = self._store.clip(source)
        return Video(clip.jpegs, clip.source_times)

    @property
    def _store(self) -> ClipStore:
        store: ClipStore | None = getattr(self._own, "store", None)
        if store is None:
            store = self._own.store = ClipStore(self._cache, self._sampling, with_h264=False)
        return store
