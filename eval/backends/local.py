"""A model in this process, by transformers: Qwen3-VL, or any model whose processor takes frames with video metadata."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dataset_builder.identity import digest
from dataset_builder.qwen_video import metadata
from dataset_builder.tasks.base import PLACEHOLDER

from ..sample import Sample, Video
from .base import AnswerError, BackendError, Reply
from .messages import check_prompt, opened_thought


class Local:
    """Answers one question at a time, with greedy decoding.

    Args:
        model: a checkpoint's folder, or its name on the Hub.
        text_only: ask the question without its videos.
        system: the system prompt; "" for none.
        max_tokens: of a response.
    """

    def __init__(self, model: str, *, text_only: bool = False, system: str = "", max_tokens: int = 2048) -> None:
        self._name, self._text_only, self._system, self._max_tokens = model, text_only, system, max_tokens
        self._model_lock = asyncio.Lock()
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
        settings = {"backend": "transformers", "model": self._name, "form": form, "system": self._system}
        return {**settings, "max_tokens": self._max_tokens, "temperature": 0.0, "weights": self._weights}

    @cached_property
    def _weights(self) -> str:
        """A hash of the names, sizes and times of the checkpoint's files; "" for a name on the Hub."""
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
            fault = f"model={self._name!r} cannot be loaded: {' '.join(str(error).split())[:300]}"
            raise BackendError(f"{fault}; give a checkpoint's folder, a name on the Hub, or --base-url") from None
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    async def answer(self, sample: Sample, videos: Sequence[Video], draw: int = 0) -> Reply:
        async with self._model_lock:
            return await asyncio.to_thread(self._generate, sample, videos)

    async def close(self) -> None: ...

    def _generate(self, sample: Sample, videos: Sequence[Video]) -> Reply:
        import torch

        inputs = self._make_inputs(sample, videos).to(self._model.device)
        prompt = self._processor.tokenizer.decode(inputs["input_ids"][0])
        advice = f"does this version of transformers support the processor of {self._name!r}?"
        seen: dict[str, Any] = {"markers": check_prompt(prompt, videos, advice)} if videos else {}
        with torch.inference_mode():
            try:
                tokens = self._model.generate(**inputs, max_new_tokens=self._max_tokens, do_sample=False)
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise AnswerError(f"out of GPU memory: {error}") from None
        length, total = inputs["input_ids"].shape[1], tokens.shape[1]
        text = self._processor.tokenizer.decode(tokens[0][length:], skip_special_tokens=True)
        seen |= {"cut_off": True} if total - length >= self._max_tokens else {}
        return Reply(opened_thought(prompt) + text, {"prompt_tokens": length, "completion_tokens": total - length}, seen)

    def _make_inputs(self, sample: Sample, videos: Sequence[Video]) -> Any:
        """The processor's inputs: all frames at their size, (T, 3, height, width) for each video, with their own times."""
        import torch
        from transformers.video_utils import VideoMetadata

        pieces = [piece for piece in re.split(f"({PLACEHOLDER})", sample.question) if piece.strip()]
        parts = [{"type": "video"} if piece == PLACEHOLDER else {"type": "text", "text": piece} for piece in pieces]
        user = {"role": "user", "content": [part for part in parts if videos or part["type"] == "text"]}
        system = [{"role": "system", "content": [{"type": "text", "text": self._system}]}] if self._system else []
        text = self._processor.apply_chat_template([*system, user], add_generation_prompt=True, tokenize=False)
        if not videos:
            return self._processor(text=[text], return_tensors="pt")
        frames = [torch.from_numpy(np.stack(video.frames())).permute(0, 3, 1, 2) for video in videos]
        shown = [VideoMetadata(**metadata(video.times)) for video in videos]
        return self._processor(
            text=[text], videos=frames, video_metadata=shown, do_sample_frames=False, do_resize=False, return_tensors="pt"
        )
