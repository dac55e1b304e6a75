"""How many tokens a prompt has, from its text and its videos' geometry, without their frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .frames import metadata


def prompt_tokens(processor: Any, messages: Sequence[dict[str, Any]], height: int, width: int) -> int:
    """Tokens of a chat for a Qwen3-VL processor, as it will make them itself.

    Args:
        messages: whose content holds `frames.reference`s for videos.
        height, width: of the videos' frames, which are not resized.
    """
    text = processor.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
    start, pad, end = processor.vision_start_token, processor.video_token, processor.vision_end_token
    side = processor.video_processor.patch_size * processor.video_processor.merge_size
    of_a_pair = (height // side) * (width // side)
    videos = _videos(messages)
    pairs = 0

    def expand(found: re.Match[str]) -> str:
        nonlocal pairs
        marks = list(_pair_times(next(videos), processor.video_processor.temporal_patch_size))
        pairs += len(marks)
        return "".join(f"<{time:.1f} seconds>{start}{pad}{end}" for time in marks)

    expanded = re.sub(re.escape(pad), expand, text)  # the marks around a video stay around all of its pairs
    words: list[int] = processor.tokenizer(expanded)["input_ids"]
    return len(words) + int(pairs * (of_a_pair - 1))


def _videos(messages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if not isinstance(message["content"], str):
            yield from (part["video"] for part in message["content"] if part["type"] == "video")


def _pair_times(video: dict[str, Any], merged: int) -> Iterator[float]:
    """Frames are merged in pairs, an odd one with itself; a pair is marked with its mean time."""
    shown = metadata(video["times"], video["end"])
    times = [number / shown["fps"] for number in shown["frames_indices"]]
    times += [times[-1]] * (-len(times) % merged)
    for at in range(0, len(times), merged):
        yield (times[at] + times[at + merged - 1]) / 2
