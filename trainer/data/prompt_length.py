"""Counts a prompt's tokens from its text and its videos' frame sizes and times, without decoding frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from dataset_builder import qwen_video


def prompt_tokens(processor: Any, messages: Sequence[dict[str, Any]], height: int, width: int) -> int:
    """Number of tokens that a Qwen3-VL processor makes of a chat.

    Args:
        messages: chat messages that hold a `frames.reference` for each video.
        height, width: frame size of all videos, in pixels; the processor must not resize them.
    """
    text = processor.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
    pixels_per_token = processor.video_processor.patch_size * processor.video_processor.merge_size  # along one side
    tokens_per_pair = (height // pixels_per_token) * (width // pixels_per_token)
    videos = list(_frame_times(messages))
    pairs = sum(len(qwen_video.pair_times(times)) for times in videos)
    ids: list[int] = processor.tokenizer(qwen_video.expand(text, videos, outer=keeps_outer_tokens()))["input_ids"]
    return int(len(ids) + pairs * (tokens_per_pair - 1))


@cache
def keeps_outer_tokens() -> bool:
    """Whether the installed transformers leaves a placeholder's own start and end around the expanded video."""
    from transformers import Qwen3VLProcessor

    return "replace_video_token" in vars(Qwen3VLProcessor)  # from 5.10; vLLM tells the two forms apart by this too


def _frame_times(messages: Sequence[dict[str, Any]]) -> Iterator[Sequence[float]]:
    for message in messages:
        if not isinstance(message["content"], str):
            yield from (part["video"]["times"] for part in message["content"] if part["type"] == "video")
