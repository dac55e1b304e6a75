"""What the processors of Qwen3-VL and Qwen3.5 make of a video in a prompt; for whoever feeds one, or checks what came of it.

Frames are merged in pairs, an odd last one with itself. The placeholder `<|vision_start|><|video_pad|><|vision_end|>` becomes
`<0.5 seconds><|vision_start|><|video_pad|>…<|vision_end|>` for each pair: the middle of its times, and a pad for each token.
transformers 5.10 leaves the placeholder's own start and end around all that, 5.9 does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

START, PAD, END = "<|vision_start|>", "<|video_pad|>", "<|vision_end|>"
PLACEHOLDER = f"{START}{PAD}{END}"
MAX_PIXELS = 25_165_824  # of all frames of a video; a larger video is shrunk unless `do_resize` is False
TIME_TOLERANCE = 0.06  # seconds; a prompt's times have one decimal
_TIME = re.compile(r"<(\d+(?:\.\d+)?) seconds>")


def metadata(times: Sequence[float]) -> dict[str, Any]:
    """Frame times in seconds as transformers', vLLM's and verl's video metadata: indices are milliseconds, at 1000 fps."""
    indices = [round(1000 * time) for time in times]
    return {"fps": 1000.0, "frames_indices": indices, "total_num_frames": indices[-1] + 1}


def pair_times(times: Sequence[float]) -> list[float]:
    """The middle of each pair of frames, in seconds, from the times of the frames."""
    even = [*times, *times[-1:]] if len(times) % 2 else times
    return [(even[index] + even[index + 1]) / 2 for index in range(0, len(even), 2)]


def find_times(prompt: str) -> list[float]:
    """The times in seconds that a prompt holds."""
    return [float(time) for time in _TIME.findall(prompt)]


def times_fault(prompt: str, videos: Sequence[Sequence[float]]) -> str:
    """How a prompt's times differ from those of its videos' frames, which are in seconds; "" if they agree."""
    actual, expected = find_times(prompt), [time for times in videos for time in pair_times(times)]
    if len(actual) != len(expected):
        frames = sum(map(len, videos))
        return f"the model saw {len(actual)} pairs of frames where {len(expected)} were sent ({frames} frames)"
    for actual_time, expected_time in zip(actual, expected, strict=True):
        if abs(actual_time - expected_time) > TIME_TOLERANCE:
            return f"the model's prompt says {actual_time:.1f} s for a pair of frames at {expected_time:.2f} s"
    return ""


def expand(prompt: str, videos: Sequence[Sequence[float]], *, outer: bool = True) -> str:
    """The prompt as the processor expands it, but with one pad for each pair.

    Args:
        prompt: with a placeholder for each video.
        videos: times of each video's frames, in seconds.
        outer: whether the placeholder's own start and end stay, as in transformers 5.10.
    """
    pieces = prompt.split(PLACEHOLDER)
    if len(pieces) != len(videos) + 1:
        raise ValueError(f"the prompt has {len(pieces) - 1} placeholders for {len(videos)} videos")
    expanded = ["".join(f"<{time:.1f} seconds>{PLACEHOLDER}" for time in pair_times(times)) for times in videos]
    around = [f"{START}{pairs}{END}" if outer else pairs for pairs in expanded]
    return "".join(piece + video for piece, video in zip(pieces, [*around, ""], strict=True))


def collapse(ids: Sequence[int], start: int, pad: int, end: int) -> list[int]:
    """Replace each expanded video, `start (time start pad… end)… end`, by `start pad end`.

    Args:
        start, pad, end: ids of the tokens `<|vision_start|>`, `<|video_pad|>`, `<|vision_end|>`.
    """
    collapsed: list[int] = []
    position = 0
    while position < len(ids):
        video_end = _end_of_video(ids, position, start, pad, end)
        collapsed += [start, pad, end] if video_end else [ids[position]]
        position = video_end or position + 1
    return collapsed


def _end_of_video(ids: Sequence[int], position: int, start: int, pad: int, end: int) -> int:
    """Position after the expanded video that starts at `position`; 0 if none starts there."""
    if ids[position] != start:
        return 0
    position, pairs = position + 1, 0
    while position < len(ids):
        if ids[position] == end:
            return position + 1 if pairs else 0
        while position < len(ids) and ids[position] not in (start, pad, end):  # tokens of the time
            position += 1
        if list(ids[position : position + 2]) != [start, pad]:
            return 0
        position += 1
        while position < len(ids) and ids[position] == pad:
            position += 1
        if list(ids[position : position + 1]) != [end]:
            return 0
        position, pairs = position + 1, pairs + 1
    return 0
