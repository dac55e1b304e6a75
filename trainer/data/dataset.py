"""The dataset that verl loads through `data.custom_cls`.

`data.train_files` and `data.val_files` name a build's folder, a dataset on the Hub, or `live:VIDEOS` for questions that are
generated from raw videos during training.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from threading import get_ident
from typing import Any

from torch.utils.data import Dataset

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.media.sampling import Sampling
from dataset_builder.tasks import UsageError

from .curriculum import Curriculum
from .frames import Video, read_video
from .live import LiveQuestions
from .prompt_length import prompt_tokens
from .settings import LIVE, DataSettings
from .stored import StoredQuestions


class VideoSSRDataset(Dataset[dict[str, Any]]):
    """Questions in verl's format. Prompts hold references to videos, which `process_multi_modal_info` reads."""

    def __init__(
        self, data_files: str | Sequence[str], tokenizer: Any, config: Any, processor: Any = None, max_samples: int = -1
    ) -> None:
        """
        Args:
            data_files: one name, as in `data.train_files`.
            config: verl's `data` section.
            max_samples: use at most this many questions, of a build spread over portions and sources; -1 uses all.

        Raises:
            UsageError: if a setting is not allowed.
        """
        [name] = [data_files] if isinstance(data_files, str) else list(data_files)
        self._processor = processor
        self._max_prompt_tokens = int(config.max_prompt_length)
        self.questions = self._open(name, config)
        self._length = len(self.questions)
        if max_samples > 0 and isinstance(self.questions, StoredQuestions):
            self.questions.choose(max_samples, config.seed)
        if max_samples > 0:
            self._length = min(len(self.questions), max_samples)

    def _open(self, name: str, config: Any) -> StoredQuestions | LiveQuestions:
        settings = DataSettings.of(_plain(config.videossr))
        if not name.startswith(LIVE):
            stored = StoredQuestions(name)
            if config.get("filter_overlong_prompts", True):
                dropped = stored.filter(self._fits)
                if dropped:
                    total = dropped + len(stored)
                    message = f"{dropped} of {total} prompts are longer than {self._max_prompt_tokens} tokens and are left out"
                    print(message, file=sys.stderr)
            return stored
        if config.shuffle and name == config.train_files:
            raise UsageError(
                "data.shuffle=True is not allowed for live questions, which are in random order already; set it to False"
            )
        if config.dataloader_num_workers:
            raise UsageError("data.dataloader_num_workers must be 0 for live questions, whose levels follow the rewards")
        spec = settings.spec
        portions = [portion.name for portion in spec.portions]
        if settings.curriculum and all(portion.difficulty for portion in spec.mixture.portions):
            raise UsageError(f"data.videossr.curriculum=True is not allowed; {spec.preset} fixes its levels; set it to False")
        curriculum = Curriculum(settings.curriculum, portions) if settings.curriculum else None
        return LiveQuestions(
            spec,
            name.removeprefix(LIVE),
            cache=settings.cache,
            curriculum=curriculum,
            mixture=settings.mixture,
            ahead=settings.ahead,
            accepts=self._fits,
        )

    def _fits(self, question: dict[str, Any]) -> bool:
        info = question["extra_info"]
        return prompt_tokens(self._processor, question["raw_prompt"], info["height"], info["width"]) <= self._max_prompt_tokens

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.questions[index]

    def state_dict(self) -> dict[str, Any]:
        """The state that verl saves in its checkpoints; empty for stored questions."""
        return self.questions.state_dict() if isinstance(self.questions, LiveQuestions) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        if isinstance(self.questions, LiveQuestions):
            self.questions.load_state_dict(state)

    @classmethod
    async def process_multi_modal_info(
        cls, messages: Sequence[dict[str, Any]], image_patch_size: int, config: Any
    ) -> tuple[None, list[Video] | None, None]:
        """Read a prompt's videos for verl's agent loop, in threads. Returns (images, videos, audios)."""
        contents = [message["content"] for message in messages if not isinstance(message["content"], str)]
        parts = [part for content in contents for part in content if "video" in part]
        open_store = partial(_thread_store, DataSettings.of(_plain(config.videossr)))
        loop = asyncio.get_running_loop()
        videos = await asyncio.gather(*(loop.run_in_executor(None, read_video, part, open_store) for part in parts))
        return None, list(videos) or None, None


def _thread_store(settings: DataSettings) -> ClipStore:
    """This thread's clip store; a store must not be shared between threads."""
    return _cached_store(settings.cache, settings.spec.clip_sampling, get_ident())


@cache
def _cached_store(cache: ClipCache, sampling: Sampling, thread: int) -> ClipStore:
    return ClipStore(cache, sampling, with_h264=False)


def _plain(config: Any) -> Mapping[str, Any]:
    from omegaconf import OmegaConf

    plain: Mapping[str, Any] = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    return plain
