"""What the processors of Qwen3-VL and Qwen3.5 make of a video in a prompt; for whoever feeds one, or checks what came of it.

Frames are merged in pairs, an odd last one with itself. The placeholder `<|vision_start|><|video_pad|><|vision_end|>` becomes
`<0.5 seconds><|vision_start|><|video_pad|>…<|vision_end|>` for each pair: the middle of its times, and a pad for each token.
transformers 5.10 leaves the placeholder's own start and end around all that, 5.9 does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

START, PAD, END = "<|vision_start|>", "<|video_pad|>", "<|vision_end|>"
PLACEHOLDER = f"{START}{PAD}{END}"
TIME_TOLERANCE = 0.06  # seconds; a prompt's times have one decimal
_TIME_TOKENS = 16  # of a time, at most
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


def collapse(ids: Sequence[int], tokens: tuple[int, int, int], decode: Callable[[Sequence[int]], str]) -> list[int]:
    """The tokens of a prompt whose videos are expanded, with one placeholder for each video.

    Args:
        tokens: ids of `START`, `PAD` and `END`.
        decode: the tokenizer's.
    """
    (start, _, end), placeholder = tokens, list(tokens)
    collapsed: list[int] = []
    position, last_time = 0, 0.0
    while position < len(ids):
        pair_end = _end_of_pair(ids, position, tokens)
        length, time = _read_time(collapsed, decode) if pair_end else (0, 0.0)
        if length:
            del collapsed[-length:]
            if collapsed[-3:] != placeholder or time < last_time:  # the first pair of a video
                collapsed += placeholder
            last_time = time
        elif ids[position] == end and collapsed[-4:] == [start, *placeholder]:
            del collapsed[-4]  # the placeholder's own start; its end is this one
        else:
            collapsed += ids[position : pair_end or position + 1]
        position = pair_end or position + 1
    return collapsed


def _end_of_pair(ids: Sequence[int], position: int, tokens: tuple[int, int, int]) -> int:
    """Position after `start pad… end`; 0 if that does not stand at `position`."""
    start, pad, end = tokens
    after = position + 1
    while after < len(ids) and ids[after] == pad:
        after += 1
    return after + 1 if ids[position] == start and after > position + 1 and list(ids[after : after + 1]) == [end] else 0


def _read_time(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> tuple[int, float]:
    """The number of tokens of the time in which the sequence ends, and the time; 0 tokens if there is none."""
    for length in range(1, min(_TIME_TOKENS, len(ids)) + 1):
        if match := _TIME.fullmatch(decode(ids[-length:]).strip()):
            return length, float(match[1])
    return 0, 0.0
