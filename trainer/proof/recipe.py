"""What a proof run trains: task, model and hyperparameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WARM_UP_QUESTIONS = 64
MICRO_BATCH = 2048  # tokens; short, as attention to a packed micro-batch on a CPU costs the square of it


@dataclass(frozen=True)
class Recipe:
    """Task, model and hyperparameters of a proof run.

    Attributes:
        task: name of a registered task.
        overrides: task parameters to override, by name.
        frames, max_pixels: frames per video, and pixels per frame; small, for the tiny model.
        warm_up: number of supervised steps on random answers.
        shuffled: draw the random answers from the right answers of all questions, rather than from all well-formed answers.
        steps: number of GRPO steps.
        batch, n: questions per step, rollouts per question.
        updates: weight updates per step.
        kl, grad_clip: KL is larger and clipping tighter than for a real model, as a tiny one soon forgets the answer format.
        hidden, layers: the model's width and depth.
        rollout: verl's name of what generates: `transformers`, our own, or `vllm`.
        more: further settings, as on the command line of `python -m trainer`.
    """

    task: str = "counting"
    difficulty: float = 0.0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 4
    max_pixels: int = 64 * 64
    warm_up: int = 400
    shuffled: bool = False
    steps: int = 36
    batch: int = 8
    n: int = 8
    updates: int = 2
    lr: float = 6e-4
    kl: float = 0.01
    grad_clip: float = 0.3
    hidden: int = 128
    layers: int = 2
    curriculum: bool = False
    rollout: str = "transformers"
    more: tuple[str, ...] = ()

    def settings(self) -> list[str]:
        """Settings for `trainer.config.compose.make_config`."""
        per_update = self.batch // self.updates
        return [
            f"preset={self.task}", f"data.videossr.overrides={json.dumps(dict(self.overrides)).replace(chr(34), '')}", f"steps={self.steps}", f"difficulty={self.difficulty}",
            f"data.videossr.samples={max(self.steps * self.batch * 2, WARM_UP_QUESTIONS)}", f"data.videossr.frames={self.frames}",
            f"data.videossr.max_pixels={self.max_pixels}", f"data.videossr.curriculum={self.curriculum}",
            f"data.train_batch_size={self.batch}", "data.max_prompt_length=1024", "data.max_response_length=16",
            f"actor_rollout_ref.rollout.name={self.rollout}", f"actor_rollout_ref.rollout.n={self.n}", f"actor_rollout_ref.actor.ppo_mini_batch_size={per_update}",
            f"actor_rollout_ref.actor.ppo_max_token_len_per_gpu={MICRO_BATCH}",
            f"actor_rollout_ref.actor.optim.lr={self.lr}", "actor_rollout_ref.actor.optim.lr_warmup_steps=5",
            f"actor_rollout_ref.actor.kl_loss_coef={self.kl}", f"actor_rollout_ref.actor.optim.clip_grad={self.grad_clip}",
            "trainer.save_freq=-1", "trainer.logger=[file]", *self.more,
        ]  # fmt: skip


DEFAULT = Recipe()
# must end above the blind baseline, so the model has to use the video: the anomaly is in one of three places, and an answer
# without the video is right one time in three. The warm-up draws from all questions' right answers, because random intervals
# hit too rarely. It is short, because a model that has long answered without the video is slow to start using it
LONG = Recipe(
    task="grounding", frames=10, warm_up=120, shuffled=True, steps=150, batch=16, lr=4e-4,
    overrides={"effects": "invert", "max_share": 0.2},
)  # fmt: skip
