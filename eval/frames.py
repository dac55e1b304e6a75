"""Loads the videos of samples: rendered live, read from a build, decoded from files, or frames that others sampled."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import cv2

from dataset_builder.errors import UnusableVideo
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.media.frame import decode_jpeg, encode_jpeg
from dataset_builder.media.geometry import output_size
from dataset_builder.media.sampling import SIDE, Sampling
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.sources.source import Source
from dataset_builder.storage.stored_videos import StoredVideos

from .sample import Sample, Video


def reference(videos: LiveVideos | StoredVideos, times: list[list[float]]) -> dict[str, Any]:
    """A reference to the videos of a row, rendered or stored; `times` has the frame times of each video, in seconds."""
    return {"kind": "live" if isinstance(videos, LiveVideos) else "stored", **asdict(videos), "times": times}


def file_reference(sources: list[Source], frames: Sequence[int] = (), min_pixels: int = 0) -> dict[str, Any]:
    """A reference to whole video files; `frames` is the number of frames of each, if that is not the benchmark's."""
    more = {"frames": list(frames), "min_pixels": min_pixels} if frames or min_pixels else {}
    return {"kind": "files", "sources": [asdict(source) for source in sources], **more}


def image_reference(videos: Sequence[Sequence[str]], times: list[list[float]]) -> dict[str, Any]:
    """A reference to frames that lie as image files, in order; `times` as above."""
    return {"kind": "images", "paths": [list(paths) for paths in videos], "times": times}


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
        stored: Mapping[str, Any] = sample.videos
        kind = stored["kind"]
        if kind == "files":
            sources = [Source(**source) for source in stored["sources"]]
            numbers = stored.get("frames") or [self._sampling.frames] * len(sources)
            videos = [self._decode_source(source, number) for source, number in zip(sources, numbers, strict=True)]
            return [_enlarge(video, stored.get("min_pixels", 0)) for video in videos]
        if kind == "images":
            jpegs = [[_read_image(path, self._sampling.max_pixels) for path in paths] for paths in stored["paths"]]
        else:
            fields = {name: value for name, value in stored.items() if name not in ("kind", "times")}
            if kind == "live":
                for source in filter(None, (fields["source"], fields["donor"])):
                    self._decode_source(
                        Source(**source), self._sampling.frames
                    )  # fills the clip cache, under the source's lock
            jpegs = (LiveVideos if kind == "live" else StoredVideos)(**fields).jpegs(self._store(self._sampling.frames))
        return [Video(tuple(frames), tuple(times)) for frames, times in zip(jpegs, stored["times"], strict=True)]

    def _decode_source(self, source: Source, frames: int) -> Video:
        with self._source_locks[source.url]:
            clip = self._store(frames).clip(source)
        return Video(clip.jpegs, clip.source_times)

    def _store(self, frames: int) -> ClipStore:
        """This thread's clip store for clips of so many frames."""
        stores: dict[int, ClipStore] = self._thread_local.__dict__.setdefault("stores", {})
        if frames not in stores:
            stores[frames] = ClipStore(self._cache, replace(self._sampling, frames=frames), with_h264=False)
        return stores[frames]


def _enlarge(video: Video, min_pixels: int) -> Video:
    """The video with frames of at least so many pixels, their sides multiples of 64."""
    _, width, height = video.geometry
    if width * height >= min_pixels:
        return video
    factor = sqrt(min_pixels / (width * height))
    size = SIDE * ceil(width * factor / SIDE), SIDE * ceil(height * factor / SIDE)
    return replace(video, jpegs=tuple(encode_jpeg(cv2.resize(frame, size)) for frame in video.frames()))


def _read_image(path: str, max_pixels: int) -> bytes:
    """A frame as JPEG, at the size that a frame of a video would have; raises UnusableVideo."""
    try:
        data = Path(path).read_bytes()
        frame = decode_jpeg(data)
    except (OSError, ValueError, cv2.error) as error:
        raise UnusableVideo(f"its frame {path} cannot be read: {error}") from None
    height, width = frame.shape[:2]
    size = output_size(width, height, max_pixels)
    unchanged = size == (width, height) and data.startswith(b"\xff\xd8")
    return data if unchanged else encode_jpeg(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
