"""Whether a model was shown the frames that were sent: what its prompt says of their times and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from dataset_builder.qwen_video import PAD, find_times, times_fault

from ..sample import Video
from .base import BackendError

TOKEN_SIDE = 32  # pixels of a frame, of which Qwen3-VL makes one token for two frames


def check_prompt(prompt: str | None, videos: Sequence[Video], advice: str) -> str:
    """The finding, for `Reply.seen["markers"]`.

    Args:
        prompt: as the model read it, special tokens included; None if it cannot be known.
        advice: what to do about frames that were dropped, moved or resized.

    Raises:
        BackendError: if some were.
    """
    if prompt is None:
        return "unknown: the server does not return its prompt"
    if not (times := find_times(prompt)):
        return "none: the model's prompts hold no times"
    fault = times_fault(prompt, [video.times for video in videos])
    if not fault:
        pads, expected = prompt.count(PAD), 0
        for frames, width, height in (video.geometry for video in videos):
            expected += ceil(frames / 2) * (width // TOKEN_SIDE) * (height // TOKEN_SIDE)
        if pads != expected:
            fault = f"the model saw {pads} video tokens where frames of this size make {expected}: they were resized"
    if fault:
        raise BackendError(f"{fault}; {advice}")
    return f"{len(times)} as sent"


def opened_thought(prompt: str | None) -> str:
    """What a prompt ends in if the model's response begins within a thought: it is put before the response."""
    return "<think>" if prompt is not None and prompt.rstrip().endswith("<think>") else ""
