"""Video references in prompts, and reading their frames when a rollout starts.

Prompts travel through Ray and are stored with every rollout. So a prompt holds only a reference to each video (a few hundred
bytes, or an edit list). The process that runs the rollouts decodes or renders the videos, once for all rollouts of a prompt.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import torch

from dataset_builder import qwen_video
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.storage.stored_videos import StoredVideos

CACHED_QUESTIONS = 16
Video = tuple[torch.Tensor, dict[str, Any]]
"""Frames (uint8, T x 3 x H x W) and their metadata, as verl and vLLM expect them."""


def reference(videos: StoredVideos | LiveVideos, number: int, times: Sequence[float]) -> dict[str, Any]:
    """The part of a prompt message that refers to one of a question's videos.

    Args:
        videos: all videos of the question.
        number: index of the video among them.
        times: frame times, in seconds from the video's start.
    """
    kind = "live" if isinstance(videos, LiveVideos) else "stored"
    return {"type": "video", "video": {"kind": kind, **asdict(videos), "number": number, "times": list(times)}}


def read_video(message_part: dict[str, Any], open_store: Callable[[], ClipStore]) -> Video:
    """Read the video of a `reference`. Thread-safe. `open_store` gives the clip store that live videos are rendered from."""
    fields = dict(message_part["video"])
    kind, number, times = (fields.pop(name) for name in ("kind", "number", "times"))
    videos = (LiveVideos if kind == "live" else StoredVideos)(**fields)

    def read() -> list[torch.Tensor]:
        shown = videos.frames(open_store() if kind == "live" else None)
        return [torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous() for frames in shown]

    tensor = _frame_cache().get(repr(videos), read)[number]
    return tensor, {**qwen_video.metadata(times), "video_backend": "videossr"}


class LruCache:
    """A thread-safe LRU cache. Threads that ask for a value while another thread computes it wait for the result."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[Any]] = OrderedDict()

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        with self._lock:
            future = self._futures.get(key)
            is_new = future is None
            if future is None:
                future = self._futures[key] = Future()
                while len(self._futures) > self._size:
                    self._futures.popitem(last=False)
            self._futures.move_to_end(key)
        if is_new:
            try:
                future.set_result(compute())
            except BaseException as error:
                with self._lock:
                    self._futures.pop(key, None)  # errors are not cached
                future.set_exception(error)
        return future.result()


@cache
def _frame_cache() -> LruCache:
    return LruCache(CACHED_QUESTIONS)
