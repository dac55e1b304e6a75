"""Loads sampled clips from memory, from the cache, or by decoding. One decode serves all seeds, levels and tasks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, replace

from ..errors import UnusableVideo
from ..identity import code_digest, codec_versions, digest
from ..sources.identify import identify
from ..sources.memory import ContentMemory
from ..sources.read import changed, check_unchanged, open_source, reading
from ..sources.source import Source
from ..sources.stores import StorageOptions
from .clip import Clip, make_clip
from .clip_cache import ClipCache
from .measure import MEASURED
from .sampling import Sampling

CLIPS_IN_MEMORY = 4  # per process


class ClipStore:
    """The clips of sources.

    Args:
        with_h264: whether clips must include their frames as H.264 pictures.
        options: storage options for remote sources.
    """

    def __init__(self, cache: ClipCache, sampling: Sampling, *, with_h264: bool, options: StorageOptions | None = None) -> None:
        self._cache, self._sampling, self._with_h264, self._options = cache, sampling, with_h264, options
        self._memory = ContentMemory(cache.folder)
        self._recent: OrderedDict[str, Clip | UnusableVideo] = OrderedDict()
        self._written = cache.limit  # bytes since the last eviction; starts high so that the first write evicts

    def clip(self, source: Source) -> Clip:
        """The clip of a source.

        Raises:
            UnusableVideo: if the video gives no clip.
            SourceChanged: if the file has changed since it was identified.
            BuildError: if the file cannot be read now.
        """
        clip = self._recent.get(source.url)
        if clip is None:
            try:
                clip = self._load(source)
            except UnusableVideo as error:
                clip = error
            self._recent[source.url] = clip
            if len(self._recent) > CLIPS_IN_MEMORY:
                self._recent.popitem(last=False)
        self._recent.move_to_end(source.url)
        if isinstance(clip, UnusableVideo):
            raise clip
        return clip

    def _load(self, source: Source) -> Clip | UnusableVideo:
        identified = self._identified(source)
        if source.fingerprint and identified.fingerprint != source.fingerprint:
            raise changed(source)
        clip = self._cache.read(clip_key(identified, self._sampling), identified.fingerprint)
        if clip is None:
            return self._make(identified)
        if isinstance(clip, Clip) and self._with_h264 and not clip.h264:
            clip = clip.with_h264()
            self._write(identified, clip)
        return clip

    def _identified(self, source: Source) -> Source:
        if source.fingerprint and source.stamp:
            check_unchanged(source)
            return source
        [identified] = identify([replace(source, fingerprint="")], self._memory, self._options)
        if not identified.fingerprint:
            open_source(identified, self._options)  # raises the reason
            raise changed(source)
        return identified

    def _make(self, source: Source) -> Clip | UnusableVideo:
        clip: Clip | UnusableVideo
        video = open_source(source, self._options)
        with reading(source):
            try:
                clip = make_clip(video, source.fingerprint, self._sampling)
            except UnusableVideo as error:
                clip = error
        if isinstance(clip, Clip) and self._with_h264:
            clip = clip.with_h264()
        self._write(source, clip)
        return clip

    def _write(self, source: Source, clip: Clip | UnusableVideo) -> None:
        self._written += self._cache.write(clip_key(source, self._sampling), clip)
        if self._written > self._cache.limit // 20:
            self._cache.evict()
            self._written = 0


def clip_key(source: Source, sampling: Sampling) -> str:
    """The name of a cached clip: a hash of everything it depends on."""
    content = (source.fingerprint, source.version)
    return digest(content, asdict(sampling), code_digest("media"), MEASURED, codec_versions())
