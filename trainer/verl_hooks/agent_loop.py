"""verl's agent loop, but the videos of a prompt are processed once for all its rollouts.

verl runs the processor twice in each rollout, once of it on the event loop.

actor_rollout_ref.rollout.agent.agent_loop_manager_class=trainer.verl_hooks.agent_loop.Manager
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray
import torch
from transformers import BatchFeature
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from ..data.frames import CACHED_QUESTIONS, LruCache
from .pixels import PIXELS, are_bytes, to_bytes


class VideosOnce:
    """A Qwen3-VL video processor that remembers what it made of the videos of the last prompts, with pixels as bytes.

    Videos are told apart by their tensors' identity: all rollouts of a prompt have the same ones.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self._cache = LruCache(CACHED_QUESTIONS)
        self._are_bytes = are_bytes(processor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["processor"], name)

    def __call__(self, videos: Sequence[torch.Tensor], **kwargs: Any) -> BatchFeature:
        def process() -> tuple[Any, dict[str, Any]]:
            outputs = dict(self.processor(videos=videos, **kwargs))
            if self._are_bytes:
                outputs[PIXELS] = to_bytes(outputs[PIXELS])
            return videos, outputs  # the videos are held, so that no other tensor gets their identity

        _, outputs = self._cache.get(repr([id(video) for video in videos]), process)
        return BatchFeature(dict(outputs))


_Worker: Any = AgentLoopWorkerTQ.__ray_metadata__.modified_class


@ray.remote
class Worker(_Worker):  # type: ignore[misc]
    """verl's, but each prompt's videos are processed once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.processor.video_processor = VideosOnce(self.processor.video_processor)


class Manager(AgentLoopManagerTQ):  # type: ignore[misc]
    """verl's, with our workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = Worker
