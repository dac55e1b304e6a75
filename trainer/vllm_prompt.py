"""Hands vLLM the prompt that it expands itself.

verl 0.9.1 gives vLLM the prompt as the processor has expanded it, with runs of placeholders made one. Qwen3-VL's placeholders
do not stand in one run: there is a time before each pair of frames, and vLLM would expand the first pair into a whole video
(verl #5024). Here a whole expanded video becomes its one placeholder again.

verl imports this module in every process, by `actor_rollout_ref.model.external_lib`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from verl.workers.rollout import utils

_SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"
_collapse_runs = utils.qwen2_5_vl_dedup_image_tokens


def collapse_videos(ids: Sequence[int], start: int, pad: int, end: int) -> list[int]:
    """A prompt with each `start (time start pad… end)… end` made `start pad end`.

    Args:
        start, pad, end: the tokens `<|vision_start|>`, `<|video_pad|>`, `<|vision_end|>`.
    """
    made: list[int] = []
    at = 0
    while at < len(ids):
        after = _end_of_video(ids, at, start, pad, end)
        made += [start, pad, end] if after else [ids[at]]
        at = after or at + 1
    return made


def _end_of_video(ids: Sequence[int], at: int, start: int, pad: int, end: int) -> int:
    """Where an expanded video that begins here is over; 0 if none begins."""
    if ids[at] != start:
        return 0
    at, pairs = at + 1, 0
    while at < len(ids):
        if ids[at] == end:
            return at + 1 if pairs else 0
        while at < len(ids) and ids[at] not in (start, pad, end):  # the time
            at += 1
        if list(ids[at : at + 2]) != [start, pad]:
            return 0
        at += 1
        while at < len(ids) and ids[at] == pad:
            at += 1
        if list(ids[at : at + 1]) != [end]:
            return 0
        at, pairs = at + 1, pairs + 1
    return 0


def collapse(prompt_ids: list[int], processor: Any) -> list[int]:
    """In place of verl's own, which goes on to see to images."""
    if hasattr(processor, "video_token_id") and hasattr(processor, "vision_start_token_id"):
        tokens = (processor.vision_start_token_id, processor.video_token_id, processor.vision_end_token_id)
        prompt_ids = collapse_videos(prompt_ids, *tokens)
    collapsed: list[int] = _collapse_runs(prompt_ids, processor)
    return collapsed


utils.qwen2_5_vl_dedup_image_tokens = collapse
if _SERVER in sys.modules:  # which has taken the name already
    sys.modules[_SERVER].qwen2_5_vl_dedup_image_tokens = collapse  # type: ignore[attr-defined]
