"""A sample as a chat message, its videos as JPEG frames with exact times or as images behind them; and what arrived of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from statistics import fmean
from typing import Any

from dataset_builder.qwen_video import PAD, find_times, metadata, times_fault
from dataset_builder.tasks.base import PLACEHOLDER

from ..sample import Sample, Video
from .base import AnswerError, BackendError

FORMS = ("video", "images", "text")
"""`video`: vLLM's format, which keeps every frame. `images`: for other servers. `text`: the question without videos."""

TOKEN_SIDE = 32  # pixels of a frame, of which Qwen3-VL makes one token for two frames
Part = dict[str, Any]


def message_content(sample: Sample, videos: Sequence[Video], form: str) -> list[Part]:
    """The parts of the user message, in OpenAI's format; `form` is one of `FORMS`."""
    remaining = iter(videos)
    parts: list[Part] = []
    for piece in re.split(f"({PLACEHOLDER})", sample.question):
        if piece != PLACEHOLDER:
            parts += [{"type": "text", "text": piece}] if piece.strip() else []
        elif form == "video":
            parts.append(_video_part(next(remaining)))
        elif form == "images":
            parts += _image_parts(next(remaining))
    return parts


def align_times(videos: Sequence[Video]) -> list[Video]:
    """The videos at times that one request to vLLM can express, which takes one list of times, or one step, for all its videos.

    Of videos with as many frames that is the mean of their times: the clips of a jigsaw differ by a few hundredths of a second,
    because source frames are not perfectly evenly spaced. Others get the step of the longest.

    Raises:
        AnswerError: if a time would move by more than half a frame interval.
    """
    if len(videos) < 2:
        return list(videos)
    longest = max(videos, key=lambda video: len(video.times)).times
    step = longest[-1] / max(1, len(longest) - 1)
    times = tuple(step * frame for frame in range(len(longest)))
    if len({len(video.times) for video in videos}) == 1:
        times = tuple(round(fmean(frame_times), 3) for frame_times in zip(*(video.times for video in videos), strict=True))
        step = (times[-1] - times[0]) / max(1, len(times) - 1)
    if any(abs(new - old) > step / 2 for video in videos for new, old in zip(times, video.times, strict=False)):
        raise AnswerError("its videos have frames at different times, which form=video cannot express; use --form images")
    return [replace(video, times=times[: len(video.times)]) for video in videos]


def media_io_settings(videos: Sequence[Video]) -> dict[str, Any]:
    """vLLM's `media_io_kwargs`, which make it keep every frame at its time; they apply to all videos of a request.

    Args:
        videos: as `align_times` returns them.
    """
    if len({len(video.times) for video in videos}) == 1:
        return {"video": {"num_frames": -1, **metadata(videos[0].times)}}
    return {"video": {"num_frames": -1, "fps": 1 / max(videos, key=lambda video: len(video.times)).times[1]}}


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


def _video_part(video: Video) -> Part:
    frames = ",".join(base64.b64encode(jpeg).decode() for jpeg in video.jpegs)
    return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}


def _image_parts(video: Video) -> Iterator[Part]:
    for jpeg, time in zip(video.jpegs, video.times, strict=True):
        yield {"type": "text", "text": f"<{time:.1f} seconds>"}
        yield {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}}
