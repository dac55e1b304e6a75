"""Converts a question to the format of verl's agent loop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.storage.stored_videos import StoredVideos
from dataset_builder.tasks.base import PLACEHOLDER

from .frames import reference


def to_verl(row: Mapping[str, Any], videos: StoredVideos | LiveVideos) -> dict[str, Any]:
    """Convert a row to an item of a verl dataset.

    Args:
        row: a row of a build, without its videos.
        videos: where the row's videos are stored, or how to render them.
    """
    info = dict(row["extra_info"])
    numbers = iter(range(len(info["frame_times"])))

    def part(text: str) -> dict[str, Any]:
        if text != PLACEHOLDER:
            return {"type": "text", "text": text}
        number = next(numbers)
        return reference(videos, number, info["frame_times"][number])

    def content(text: str) -> Any:
        return [part(piece) for piece in re.split(f"({PLACEHOLDER})", text) if piece] if PLACEHOLDER in text else text

    return {
        "data_source": row["data_source"],
        "raw_prompt": [{"role": message["role"], "content": content(message["content"])} for message in row["prompt"]],
        "ability": row["ability"],
        "reward_model": row["reward_model"],
        "extra_info": info,
        "index": info["index"],
        "tools_kwargs": {},
        "interaction_kwargs": {},
        "dummy_tensor": torch.tensor([0], dtype=torch.uint8),  # verl needs at least one tensor per item
    }
