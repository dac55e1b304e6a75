"""Pixels travel from the rollouts to training as bytes, a quarter of the float32 that verl sends.

Frames are bytes, which Qwen3-VL's processor maps to (byte - 127.5) / 127.5; the engine does that again, exactly.
"""

from __future__ import annotations

from typing import Any

import torch
from verl.workers.engine.fsdp import transformer_impl

PIXELS = "pixel_values_videos"
_MIDDLE = 127.5
_extract = transformer_impl.extract_multi_modal_inputs


def are_bytes(video_processor: Any) -> bool:
    """Whether a video processor's pixels are what `from_bytes` makes of bytes."""
    return list(video_processor.image_mean) == list(video_processor.image_std) == [0.5] * 3


def to_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """Processed pixels as bytes."""
    return (pixels * _MIDDLE + _MIDDLE).round().to(torch.uint8)


def from_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """What `to_bytes` was given."""
    return (pixels.float() - _MIDDLE) / _MIDDLE


def _extract_as_floats(*args: Any, **kwargs: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = _extract(*args, **kwargs)
    if PIXELS in inputs and inputs[PIXELS].dtype == torch.uint8:
        inputs[PIXELS] = from_bytes(inputs[PIXELS])
    return inputs


transformer_impl.extract_multi_modal_inputs = _extract_as_floats
