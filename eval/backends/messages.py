"""A sample as a chat message: its videos as JPEG frames with exact times, or as images, each after its time as text."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from dataset_builder.qwen_video import metadata
from dataset_builder.tasks.base import PLACEHOLDER

from ..sample import Sample, Video
from .base import AnswerError

FORMS = ("video", "images", "text")
"""`video`: vLLM's format, which keeps every frame. `images`: for other servers. `text`: the question without videos."""

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
    """The videos with one common list of times, the mean of theirs: vLLM takes one list for all videos of a request.

    The clips of a jigsaw differ by a few hundredths of a second, because source frames are not perfectly evenly spaced.

    Raises:
        AnswerError: if the numbers of frames differ, or a time would move by more than half a frame interval.
    """
    first, *others = videos
    if not others:
        return list(videos)
    if any(len(other.times) != len(first.times) for other in others):
        raise AnswerError("its videos have different numbers of frames, which form=video cannot express; use --form images")
    times = tuple(round(fmean(frame_times), 3) for frame_times in zip(*(video.times for video in videos), strict=True))
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    if any(abs(new - old) > step / 2 for video in videos for new, old in zip(times, video.times, strict=True)):
        raise AnswerError("its videos have frames at different times, which form=video cannot express; use --form images")
    return [replace(video, times=times) for video in videos]


def media_io_settings(videos: Sequence[Video]) -> dict[str, Any]:
    """vLLM's `media_io_kwargs`, which make it keep every frame at its time; they apply to all videos of a request.

    Args:
        videos: with the same times.
    """
    return {"video": {"num_frames": -1, **metadata(videos[0].times)}}


def _video_part(video: Video) -> Part:
    frames = ",".join(base64.b64encode(jpeg).decode() for jpeg in video.jpegs)
    return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}


def _image_parts(video: Video) -> Iterator[Part]:
    for jpeg, time in zip(video.jpegs, video.times, strict=True):
        yield {"type": "text", "text": f"<{time:.1f} seconds>"}
        yield {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}}
