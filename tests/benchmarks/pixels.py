"""What the pixels of a rollout cost in verl's agent loop: a question of 48 frames of 256², asked of 8 rollouts."""

from __future__ import annotations

import tempfile
import time
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLLOUTS, FRAMES, SIDE = 8, 48, 256


@dataclass(frozen=True)
class Cost:
    """CPU seconds in the processor, and bytes sent to training, of one rollout."""

    seconds: float
    size: int


def pixels() -> tuple[Cost, Cost]:
    """As verl does it, and as our worker does."""
    from transformers import AutoProcessor

    from trainer.cpu.tiny_model import make_processor
    from trainer.verl_hooks.agent_loop import VideosOnce

    with tempfile.TemporaryDirectory() as folder:
        make_processor(Path(folder))
        processor = AutoProcessor.from_pretrained(folder)
    once = copy(processor)
    once.video_processor = VideosOnce(processor.video_processor)
    return _cost(processor), _cost(once)


def _cost(processor: Any) -> Cost:
    import torch
    from verl.utils.tokenizer import build_multimodal_processor_inputs

    from dataset_builder import qwen_video

    frames = torch.randint(0, 256, (FRAMES, 3, SIDE, SIDE), dtype=torch.uint8)
    video = frames, qwen_video.metadata([0.5 * number for number in range(FRAMES)])
    start = time.process_time()
    for _ in range(ROLLOUTS):
        for _ in ("the prompt's tokens", "training's inputs"):
            inputs = build_multimodal_processor_inputs(processor, text=[qwen_video.PLACEHOLDER], videos=[video])
    seconds = (time.process_time() - start) / ROLLOUTS
    return Cost(seconds, inputs["pixel_values_videos"].nbytes)


if __name__ == "__main__":
    before, after = pixels()
    print(before, after)
