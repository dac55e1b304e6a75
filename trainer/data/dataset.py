"""The dataset that verl loads, by `data.custom_cls`.

`data.train_files` and `data.val_files` name a build's folder, a dataset of the Hub, or `live:VIDEOS` for questions that are
made from raw videos while training goes on.
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

from ..curriculum import Curriculum
from .frames import Video, read
from .live import LiveQuestions
from .prompt_length import prompt_tokens
from .settings import LIVE, DataSettings
from .stored import StoredQuestions


class VideoSSRDataset(Dataset[dict[str, Any]]):
    """Questions as verl wants them; prompts refer to their videos, which `process_multi_modal_info` reads."""

    def __init__(
        self, data_files: str | Sequence[str], tokenizer: Any, config: Any, processor: Any = None, max_samples: int = -1
    ) -> None:
        """
        Args:
            config: verl's `data` section.

        Raises:
            UsageError: naming what of it is not allowed.
        """
        [name] = [data_files] if isinstance(data_files, str) else list(data_files)
        self._processor = processor
        self._longest = int(config.max_prompt_length)
        self.questions = self._open(name, config)
        self._length = min(len(self.questions), max_samples) if max_samples > 0 else len(self.questions)

    def _open(self, name: str, config: Any) -> StoredQuestions | LiveQuestions:
        settings = DataSettings.of(_plain(config.videossr))
        if not name.startswith(LIVE):
            stored = StoredQuestions(name)
            if config.get("filter_overlong_prompts", True):
                dropped = stored.keep(self._fits)
                if dropped:
                    print(
                        f"{dropped} of {dropped + len(stored)} prompts are longer than {self._longest} tokens, and left out",
                        file=sys.stderr,
                    )
            return stored
        if config.shuffle and name == config.train_files:
            raise UsageError(
                "data.shuffle=True is not allowed for live questions, which are in a random order; set it to False"
            )
        if config.dataloader_num_workers:
            raise UsageError("data.dataloader_num_workers must be 0 for live questions, which follow the rewards")
        spec = settings.spec
        portions = [portion.name for portion in spec.portions]
        if settings.curriculum and all(portion.difficulty for portion in spec.mixture.portions):
            raise UsageError(f"data.videossr.curriculum=True is not allowed; {spec.preset} fixes its levels; set it to False")
        curriculum = Curriculum(settings.curriculum, portions) if settings.curriculum else None
        return LiveQuestions(
            spec, name.removeprefix(LIVE), cache=settings.cache, curriculum=curriculum, ahead=settings.ahead, wanted=self._fits
        )

    def _fits(self, question: dict[str, Any]) -> bool:
        info = question["extra_info"]
        return prompt_tokens(self._processor, question["raw_prompt"], info["height"], info["width"]) <= self._longest

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: int) -> dict[str, Any]:
        return self.questions[at]

    def state_dict(self) -> dict[str, Any]:
        """Kept in verl's checkpoints, with the place in the data."""
        return self.questions.state_dict() if isinstance(self.questions, LiveQuestions) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if isinstance(self.questions, LiveQuestions):
            self.questions.load_state_dict(state)

    @classmethod
    async def process_multi_modal_info(
        cls, messages: Sequence[dict[str, Any]], image_patch_size: int, config: Any
    ) -> tuple[None, list[Video] | None, None]:
        """Images, videos and audios of a prompt, for verl's agent loop; off the event loop."""
        parts = [part for one in messages if not isinstance(one["content"], str) for part in one["content"] if "video" in part]
        store = partial(_store, DataSettings.of(_plain(config.videossr)))
        loop = asyncio.get_running_loop()
        videos = await asyncio.gather(*(loop.run_in_executor(None, read, part, store) for part in parts))
        return None, list(videos) or None, None


def _store(settings: DataSettings) -> ClipStore:
    # a store is one thread's
    return _store_of(settings.cache, settings.spec.clip_sampling, get_ident())


@cache
def _store_of(cache: ClipCache, sampling: Sampling, thread: int) -> ClipStore:
    return ClipStore(cache, sampling, with_h264=False)


def _plain(config: Any) -> Mapping[str, Any]:
    from omegaconf import OmegaConf

    plain: Mapping[str, Any] = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    return plain
