"""vLLM's own processor makes of the prompts that verl hands it what transformers' makes: the tokens and pixels of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from verl.utils.tokenizer import build_multimodal_processor_inputs
from vllm.config import ModelConfig
from vllm.multimodal import MULTIMODAL_REGISTRY

from dataset_builder import qwen_video
from trainer.verl_hooks.vllm_prompt import collapse, verls_collapse


@pytest.fixture(scope="session")
def vllms_processor(model: Path) -> Any:
    config = ModelConfig(str(model), dtype="float32", max_model_len=32768, limit_mm_per_prompt={"video": 16})
    return MULTIMODAL_REGISTRY.create_processor(config)


def times(frames: int, uneven: bool) -> list[float]:
    return [round(0.5 * number + (0.13 * (number % 3) if uneven else 0), 3) for number in range(frames)]


@pytest.mark.parametrize(
    ("videos", "frames", "uneven"), [(1, 48, False), (6, 8, False), (12, 4, False), (1, 7, True), (6, 2, True)]
)
def test_vllm_sees_what_is_trained_on(processor: Any, vllms_processor: Any, videos: int, frames: int, uneven: bool) -> None:
    rng = torch.Generator().manual_seed(videos)
    shown = [
        (
            torch.randint(0, 255, (frames, 3, 64, 96), dtype=torch.uint8, generator=rng),
            qwen_video.metadata(times(frames, uneven)),
        )
        for _ in range(videos)
    ]
    text = "Order: " + " ".join(f"Clip {number + 1}: {qwen_video.PLACEHOLDER}" for number in range(videos)) + "?"
    trained = build_multimodal_processor_inputs(processor, text=[text], videos=shown)
    ids = trained["input_ids"][0].tolist()

    def seen(prompt: list[int]) -> Any:
        items = vllms_processor.info.parse_mm_data({"video": shown})
        return vllms_processor(list(prompt), items)

    ours = seen(collapse(ids, processor))
    assert ours["prompt_token_ids"] == ids
    items = ours["mm_kwargs"]["video"]
    pixels = torch.cat([item["pixel_values_videos"].data for item in items])
    assert torch.equal(pixels, trained["pixel_values_videos"])
    assert seen(verls_collapse(ids, processor))["prompt_token_ids"] != ids, "with verl's own prompt a video is expanded twice"
