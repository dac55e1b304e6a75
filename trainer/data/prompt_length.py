"""Counts a prompt's tokens from its text and its videos' frame sizes and times, without decoding frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .frames import metadata


def prompt_tokens(processor: Any, messages: Sequence[dict[str, Any]], height: int, width: int) -> int:
    """Number of tokens that a Qwen3-VL processor makes of a chat.

    Args:
        messages: chat messages that hold a `frames.reference` for each video.
        height, width: frame size of all videos, in pixels; the processor must not resize them.
    """
    text = processor.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
    start, pad, end = processor.vision_start_token, processor.video_token, processor.vision_end_token
    pixels_per_token = processor.video_processor.patch_size * processor.video_processor.merge_size  # along one side
    tokens_per_pair = (height // pixels_per_token) * (width // pixels_per_token)
    videos = _videos(messages)
    pairs = 0

    def expand(match: re.Match[str]) -> str:
        nonlocal pairs
        times = list(_pair_times(next(videos), processor.video_processor.temporal_patch_size))
        pairs += len(times)
        return "".join(f"<{time:.1f} seconds>{start}{pad}{end}" for time in times)

    expanded = re.sub(re.escape(pad), expand, text)  # the outer start and end tokens of a video stay, as in the processor
    ids: list[int] = processor.tokenizer(expanded)["input_ids"]
    return len(ids) + int(pairs * (tokens_per_pair - 1))


def _videos(messages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if not isinstance(message["content"], str):
            yield from (part["video"] for part in message["content"] if part["type"] == "video")


def _pair_times(video: dict[str, Any], pair_size: int) -> Iterator[float]:
    """Mean time of each pair of frames, in seconds; an odd last frame is paired with itself."""
    timing = metadata(video["times"], video["end"])
    times = [index / timing["fps"] for index in timing["frames_indices"]]
    times += [times[-1]] * (-len(times) % pair_size)
    for first in range(0, len(times), pair_size):
        yield (times[first] + times[first + pair_size - 1]) / 2
