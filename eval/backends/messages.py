"""A sample as a chat message: its videos as videos with exact frames, or as images behind their times."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from dataset_builder.tasks.base import PLACEHOLDER

from ..sample import Sample, Video
from .base import Failed

FORMS = ("video", "images", "text")
"""`video`: vLLM's form, whose frames are not sampled again. `images`: for servers without it. `text`: the question alone."""

_MARKER = re.compile(r"<(\d+(?:\.\d+)?) seconds>")
NO_TIMES = "none: the model's prompts hold no times"
TOLERANCE = 0.06  # seconds; markers have one decimal
Part = dict[str, Any]


def content(sample: Sample, videos: Sequence[Video], form: str) -> list[Part]:
    """The parts of the user's message."""
    waiting = iter(videos)
    parts: list[Part] = []
    for piece in re.split(f"({PLACEHOLDER})", sample.question):
        if piece != PLACEHOLDER:
            parts += [{"type": "text", "text": piece}] if piece.strip() else []
        elif form == "video":
            parts.append(_video(next(waiting)))
        elif form == "images":
            parts += _images(next(waiting))
    return parts


def at_shared_times(videos: Sequence[Video]) -> list[Video]:
    """The videos with one list of times, the mean of theirs: vLLM takes one list for all videos of a request.

    Clips of a jigsaw, cut from frames that are not quite even, differ by some hundredths of a second.

    Raises:
        Failed: if the videos differ in their frames, or by more than half the distance of two frames.
    """
    first, *others = videos
    if not others:
        return list(videos)
    if any(len(other.times) != len(first.times) for other in others):
        raise Failed("its videos have different numbers of frames, which this server's form cannot say; use --form images")
    times = tuple(round(fmean(own), 3) for own in zip(*(video.times for video in videos), strict=True))
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    if any(abs(time - own) > step / 2 for video in videos for time, own in zip(times, video.times, strict=True)):
        raise Failed("its videos have frames at different times, which this server's form cannot say; use --form images")
    return [replace(video, times=times) for video in videos]


def media_settings(videos: Sequence[Video]) -> dict[str, Any]:
    """What tells vLLM to take every frame at its time: `media_io_kwargs`, which hold for all videos of a request.

    A frame's time is its number over the rate: numbers are thousandths of a second.

    Args:
        videos: with the same times.
    """
    numbers = [round(1000 * time) for time in videos[0].times]
    return {"video": {"num_frames": -1, "fps": 1000.0, "frames_indices": numbers, "total_num_frames": numbers[-1] + 1}}


def expected_markers(videos: Sequence[Video]) -> list[float]:
    """The times that a Qwen3-VL prompt names: frames merge in pairs, each at its middle; the last of an odd number is doubled."""
    found = []
    for video in videos:
        times = [*video.times, *video.times[-1:]] if len(video.times) % 2 else video.times
        found += [(times[at] + times[at + 1]) / 2 for at in range(0, len(times), 2)]
    return found


def markers(prompt: str) -> list[float]:
    """The times that a prompt names."""
    return [float(time) for time in _MARKER.findall(prompt)]


def marker_fault(prompt: str, videos: Sequence[Video]) -> str:
    """What is wrong with the times of a prompt that the model saw; "" if nothing is."""
    found, wanted = markers(prompt), expected_markers(videos)
    if len(found) != len(wanted):
        frames = sum(len(video.times) for video in videos)
        return f"the model saw {len(found)} pairs of frames where {len(wanted)} were sent ({frames} frames)"
    for seen, sent in zip(found, wanted, strict=True):
        if abs(seen - sent) > TOLERANCE:
            return f"the model was told {seen:.1f} s for a pair of frames at {sent:.2f} s"
    return ""


def _video(video: Video) -> Part:
    frames = ",".join(base64.b64encode(jpeg).decode() for jpeg in video.jpegs)
    return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}


def _images(video: Video) -> Iterator[Part]:
    for jpeg, time in zip(video.jpegs, video.times, strict=True):
        yield {"type": "text", "text": f"<{time:.1f} seconds>"}
        yield {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}}
