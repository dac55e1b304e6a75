"""The videos of prompts: what stands for one in a prompt, and how its frames are had when a rollout begins.

Prompts travel through Ray and are stored once a rollout. So they hold a reference, a few hundred bytes or an edit list, and
the process that runs the rollouts decodes or renders the question's videos, once for all rollouts of a prompt.
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

from dataset_builder.media.clip_store import ClipStore
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.storage.stored_videos import StoredVideos

QUESTIONS_KEPT = 16
Video = tuple[torch.Tensor, dict[str, Any]]
"""Frames (uint8, T x 3 x H x W) and what verl and vLLM call their metadata."""


def reference(videos: StoredVideos | LiveVideos, number: int, times: Sequence[float], end: float) -> dict[str, Any]:
    """What stands in a prompt for one of a question's videos.

    Args:
        number: which of them.
        times: of its frames, in its own seconds.
        end: when the last of them stops being shown.
    """
    kind = "live" if isinstance(videos, LiveVideos) else "stored"
    return {"type": "video", "video": {"kind": kind, **asdict(videos), "number": number, "times": list(times), "end": end}}


def read(message_part: dict[str, Any], store: Callable[[], ClipStore]) -> Video:
    """The video that a reference stands for. May be called from several threads."""
    fields = dict(message_part["video"])
    kind, number, times, end = (fields.pop(name) for name in ("kind", "number", "times", "end"))
    videos = (LiveVideos if kind == "live" else StoredVideos)(**fields)
    frames = _recent().get(repr(videos), lambda: videos.frames(store() if kind == "live" else None))[number]
    tensor = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()
    return tensor, metadata(times, end)


def metadata(times: Sequence[float], end: float) -> dict[str, Any]:
    """Frame times as verl and vLLM take them: a rate and a number for each frame, whose quotient is its time.

    Uneven times are given in thousandths of a second.
    """
    fps = len(times) / end
    numbers = list(range(len(times)))
    if any(abs(number / fps - time) > 0.01 for number, time in zip(numbers, times, strict=True)):
        fps, numbers = 1000.0, [round(1000 * time) for time in times]
    return {"fps": fps, "frames_indices": numbers, "total_num_frames": numbers[-1] + 1, "video_backend": "videossr"}


class _Recent:
    """Results of the last calls; those who ask while one is being made wait for it."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Future[Any]] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            future = self._found.get(key)
            mine = future is None
            if future is None:
                future = self._found[key] = Future()
                while len(self._found) > self._kept:
                    self._found.popitem(last=False)
            self._found.move_to_end(key)
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._found.pop(key, None)  # a fault is not remembered
                future.set_exception(error)
        return future.result()


@cache
def _recent() -> _Recent:
    return _Recent(QUESTIONS_KEPT)
