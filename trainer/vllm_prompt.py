"""Gives vLLM unexpanded video prompts, because vLLM expands the placeholders itself.

verl 0.9.1 takes the prompt that the processor has expanded and reduces each run of placeholders to one. A Qwen3-VL video is
not one run: a time stands before each pair of frames, and vLLM would expand the first pair into a whole video (verl #5024).
This module reduces each expanded video to a single placeholder.

verl imports this module in every process, through `actor_rollout_ref.model.external_lib`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from verl.workers.rollout import utils

_SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"
_collapse_runs = utils.qwen2_5_vl_dedup_image_tokens


def collapse_videos(ids: Sequence[int], start: int, pad: int, end: int) -> list[int]:
    """Replace each `start (time start pad… end)… end` in a token sequence by `start pad end`.

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


def collapse(prompt_ids: list[int], processor: Any) -> list[int]:
    """Replaces verl's function: collapses videos, then calls verl's function, which collapses images."""
    if hasattr(processor, "video_token_id") and hasattr(processor, "vision_start_token_id"):
        tokens = (processor.vision_start_token_id, processor.video_token_id, processor.vision_end_token_id)
        prompt_ids = collapse_videos(prompt_ids, *tokens)
    collapsed: list[int] = _collapse_runs(prompt_ids, processor)
    return collapsed


utils.qwen2_5_vl_dedup_image_tokens = collapse
if _SERVER in sys.modules:  # it has imported verl's function by name already
    sys.modules[_SERVER].qwen2_5_vl_dedup_image_tokens = collapse  # type: ignore[attr-defined]
