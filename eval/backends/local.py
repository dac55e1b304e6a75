"""A model in this process, by transformers: Qwen3-VL, or whatever takes a video's frames with their metadata."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dataset_builder.identity import digest
from dataset_builder.tasks.base import PLACEHOLDER

from ..sample import Sample, Video
from .base import Failed, Reply, Unusable
from .messages import NO_TIMES, marker_fault, markers


class Local:
    """Answers one question at a time, greedily.

    Args:
        model: a checkpoint's folder, or its name on the Hub.
        text_only: the question without its videos.
        max_tokens: of a response.
    """

    def __init__(self, model: str, *, text_only: bool = False, system: str = "", max_tokens: int = 2048) -> None:
        self._name, self._text_only, self._system, self._max_tokens = model, text_only, system, max_tokens
        self._one_at_a_time = asyncio.Lock()
        self._model: Any = None
        self._processor: Any = None

    @property
    def needs_videos(self) -> bool:
        return not self._text_only

    @property
    def label(self) -> str:
        path = Path(self._name)
        name = "/".join(path.resolve().parts[-2:]) if path.is_dir() else self._name
        return name + (" (text only)" if self._text_only else "")

    @property
    def protocol(self) -> Mapping[str, Any]:
        form = "text" if self._text_only else "video"
        told = {"backend": "transformers", "model": self._name, "form": form, "system": self._system}
        return {**told, "max_tokens": self._max_tokens, "temperature": 0.0, "weights": self._weights}

    @cached_property
    def _weights(self) -> str:
        """What tells other weights in the same folder; "" for a name on the Hub."""
        files = sorted(path for ending in ("*.json", "*.safetensors", "*.bin") for path in Path(self._name).glob(ending))
        return digest([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]) if files else ""

    async def check(self) -> None:
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            self._processor = AutoProcessor.from_pretrained(self._name)
            model: Any = AutoModelForImageTextToText.from_pretrained(self._name, dtype="auto")
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise Unusable(
                f"model={self._name!r} cannot be loaded: {said}; give a checkpoint's folder, a name on the Hub, or --base-url"
            ) from None
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    async def answer(self, sample: Sample, videos: Sequence[Video]) -> Reply:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._answer, sample, videos)

    async def close(self) -> None: ...

    def _answer(self, sample: Sample, videos: Sequence[Video]) -> Reply:
        import torch

        inputs = self._inputs(sample, videos).to(self._model.device)
        prompt = self._processor.tokenizer.decode(inputs["input_ids"][0])
        fault = marker_fault(prompt, videos) if markers(prompt) else ""
        if fault:
            raise Unusable(f"{fault}; does this transformers know the processor of {self._name!r}?")
        with torch.inference_mode():
            try:
                made = self._model.generate(**inputs, max_new_tokens=self._max_tokens, do_sample=False)
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise Failed(f"out of GPU memory: {error}") from None
        length = inputs["input_ids"].shape[1]
        text = self._processor.tokenizer.decode(made[0][length:], skip_special_tokens=True)
        usage = {"prompt_tokens": length, "completion_tokens": made.shape[1] - length}
        seen: dict[str, Any] = {"cut_off": True} if usage["completion_tokens"] >= self._max_tokens else {}
        if videos:
            seen["markers"] = f"{len(markers(prompt))} as sent" if markers(prompt) else NO_TIMES
        return Reply(text, usage, seen)

    def _inputs(self, sample: Sample, videos: Sequence[Video]) -> Any:
        """The processor's: frames as they are, with their own times."""
        import torch
        from transformers.video_utils import VideoMetadata

        pieces = [piece for piece in re.split(f"({PLACEHOLDER})", sample.question) if piece.strip()]
        parts = [{"type": "video"} if piece == PLACEHOLDER else {"type": "text", "text": piece} for piece in pieces]
        shown = [part for part in parts if videos or part["type"] == "text"]
        system = [{"role": "system", "content": [{"type": "text", "text": self._system}]}] if self._system else []
        text = self._processor.apply_chat_template(
            [*system, {"role": "user", "content": shown}], add_generation_prompt=True, tokenize=False
        )
        if not videos:
            return self._processor(text=[text], return_tensors="pt")
        frames = [torch.from_numpy(np.stack(video.frames())).permute(0, 3, 1, 2) for video in videos]
        numbers = [[round(1000 * time) for time in video.times] for video in videos]
        metadata = [VideoMetadata(total_num_frames=own[-1] + 1, fps=1000.0, frames_indices=own) for own in numbers]
        return self._processor(
            text=[text], videos=frames, video_metadata=metadata, do_sample_frames=False, do_resize=False, return_tensors="pt"
        )
