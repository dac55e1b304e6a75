"""A prompt's videos are processed once for all its rollouts, and reach training as the processor made them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any

import pytest
import torch
from verl.utils.tokenizer import build_multimodal_processor_inputs
from verl.workers.engine.fsdp import transformer_impl

from dataset_builder import qwen_video
from trainer.verl_hooks.agent_loop import VideosOnce
from trainer.verl_hooks.pixels import are_bytes


@pytest.mark.parametrize("frames", [4, 7])
def test_rollouts_share_one_pass(processor: Any, monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    videos = [torch.randint(0, 256, (frames, 3, 64, 96), dtype=torch.uint8) for _ in range(3)]
    text = "Order: " + qwen_video.PLACEHOLDER * 3

    def rollout(shared: Any) -> Any:
        shown = [(video, qwen_video.metadata([0.5 * number for number in range(frames)])) for video in videos]
        return build_multimodal_processor_inputs(shared, text=[text], videos=shown)

    expected = rollout(processor)
    once = copy(processor)
    once.video_processor = VideosOnce(processor.video_processor)
    calls = []
    process = type(processor.video_processor).preprocess
    monkeypatch.setattr(type(processor.video_processor), "preprocess", lambda *a, **k: [calls.append(1), process(*a, **k)][1])
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(rollout, [once] * 16))
    assert len(calls) == 1
    for inputs in made:
        assert torch.equal(inputs["input_ids"], expected["input_ids"])
        assert inputs["pixel_values_videos"].dtype == torch.uint8
    trained = transformer_impl.extract_multi_modal_inputs([{"pixel_values_videos": made[0]["pixel_values_videos"]}])
    assert torch.equal(trained["pixel_values_videos"], expected["pixel_values_videos"]), "to the last bit"
    videos[0] = videos[0].clone()
    rollout(once)
    assert len(calls) == 2, "other videos are other pixels"


def test_other_pixels_stay_as_they_are(processor: Any) -> None:
    other = copy(processor.video_processor)
    other.image_mean = [0.48, 0.46, 0.41]
    assert not are_bytes(other)
