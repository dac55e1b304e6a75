"""Gives vLLM unexpanded video prompts, because vLLM expands the placeholders itself.

verl 0.9.1 takes the prompt that the processor has expanded and reduces each run of placeholders to one. A Qwen3-VL video is
not one run: a time stands before each pair of frames, and vLLM would expand the first pair into a whole video (verl #5024).
This module reduces each expanded video to a single placeholder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from verl.workers.rollout import utils

from dataset_builder import qwen_video

_SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"
verls_collapse = utils.qwen2_5_vl_dedup_image_tokens


def collapse(prompt_ids: list[int], processor: Any) -> list[int]:
    """Replaces verl's function: collapses videos, then calls verl's function, which collapses images."""
    if hasattr(processor, "video_token_id") and hasattr(processor, "vision_start_token_id"):
        tokens = (processor.vision_start_token_id, processor.video_token_id, processor.vision_end_token_id)
        prompt_ids = qwen_video.collapse(prompt_ids, tokens, processor.tokenizer.decode)
    collapsed: list[int] = verls_collapse(prompt_ids, processor)
    return collapsed


def use(function: Callable[[list[int], Any], list[int]]) -> None:
    """Put a function in the place of verl's."""
    utils.qwen2_5_vl_dedup_image_tokens = function
    if _SERVER in sys.modules:  # it has imported verl's function by name already
        sys.modules[_SERVER].qwen2_5_vl_dedup_image_tokens = function  # type: ignore[attr-defined]


use(collapse)
