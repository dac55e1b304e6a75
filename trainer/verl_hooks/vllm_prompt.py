"""Gives vLLM unexpanded video prompts, because vLLM expands the placeholders itself.

verl 0.9.1 takes the prompt that the processor has expanded and reduces each run of placeholders to one. A Qwen3-VL video is
not one run: a time stands before each pair of frames, and vLLM would expand the first pair into a whole video (verl #5024).
This module reduces each expanded video to a single placeholder.

verl imports this module in every process, through `actor_rollout_ref.model.external_lib`.
"""

from __future__ import annotations

import sys
from typing import Any

from verl.workers.rollout import utils

from dataset_builder import qwen_video

_SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"
_collapse_runs = utils.qwen2_5_vl_dedup_image_tokens


def collapse(prompt_ids: list[int], processor: Any) -> list[int]:
    """Replaces verl's function: collapses videos, then calls verl's function, which collapses images."""
    if hasattr(processor, "video_token_id") and hasattr(processor, "vision_start_token_id"):
        tokens = (processor.vision_start_token_id, processor.video_token_id, processor.vision_end_token_id)
        prompt_ids = qwen_video.collapse(prompt_ids, *tokens)
    collapsed: list[int] = _collapse_runs(prompt_ids, processor)
    return collapsed


utils.qwen2_5_vl_dedup_image_tokens = collapse
if _SERVER in sys.modules:  # it has imported verl's function by name already
    sys.modules[_SERVER].qwen2_5_vl_dedup_image_tokens = collapse  # type: ignore[attr-defined]
