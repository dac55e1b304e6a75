"""vLLM receives the prompt as the chat template inputs it, before the processor expanded it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dataset_builder import qwen_video
from trainer.config.compose import make_config
from trainer.verl_hooks.vllm_prompt import collapse

VIDEO = qwen_video.PLACEHOLDER


@pytest.mark.parametrize(
    "text",
    [f"a {VIDEO} b", f"Clip 1: {VIDEO} Clip 2: {VIDEO}{VIDEO}?", f"{VIDEO}", "no video <1.0 seconds>", f"<1.0 seconds>{VIDEO}"],
)
@pytest.mark.parametrize("frames", [2, 4, 7])
def test_expanded_videos_are_reduced_to_one_placeholder(processor: Any, text: str, frames: int) -> None:
    number = text.count(VIDEO)
    video = torch.zeros(frames, 3, 64, 96, dtype=torch.uint8)
    metadata = {"fps": 2.0, "frames_indices": list(range(frames)), "total_num_frames": frames, "video_backend": "videossr"}
    inputs = processor(
        text=[text], videos=[video] * number or None, video_metadata=[metadata] * number or None, do_sample_frames=False
    )  # fmt: skip
    expanded = list(inputs["input_ids"][0])
    assert number == 0 or len(expanded) > len(processor.tokenizer(text)["input_ids"])
    assert collapse(expanded, processor) == processor.tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    "text", [f"a\n{VIDEO} b", f"Clip 1:\n{VIDEO}Clip 2:\n{VIDEO}{VIDEO}?", "an image <|vision_start|><|image_pad|>"]
)
@pytest.mark.parametrize("outer", [False, True])
def test_both_forms_are_reduced(processor: Any, text: str, outer: bool) -> None:
    """transformers 5.9 writes no start and end around all pairs of a video, 5.10 does."""
    expanded = qwen_video.expand(text, [[0.0, 0.5, 1.0, 1.5, 2.0]] * text.count(VIDEO), outer=outer)
    ids = processor.tokenizer(expanded.replace(qwen_video.PAD, qwen_video.PAD * 6))["input_ids"]
    assert collapse(ids, processor) == processor.tokenizer(text)["input_ids"]


def test_broken_blocks_are_left_alone(processor: Any) -> None:
    for text in (
        "<|vision_start|>",
        "<|vision_start|><|vision_end|>",
        "<|vision_start|>1<|vision_start|><|video_pad|>",
        "<|video_pad|>x",
    ):
        ids = processor.tokenizer(text)["input_ids"]
        assert collapse(ids, processor) == ids


def test_verl_uses_collapse() -> None:
    from verl.workers.rollout import utils

    assert utils.qwen2_5_vl_dedup_image_tokens is collapse
    settings = ["data=x", "model=y", "reward_url=http://z"]
    assert make_config(settings).actor_rollout_ref.model.external_lib == "trainer.verl_hooks"
