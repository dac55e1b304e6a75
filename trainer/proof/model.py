"""A tiny model that answers at random in the right format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from dataset_builder import tasks

from .recipe import WARM_UP_QUESTIONS, Recipe


def make_model(folder: Path, recipe: Recipe, settings: Sequence[str], seed: int) -> float:
    """Write a tiny model that gives random answers in the right format. Returns the warm-up's last loss, in nats per token."""
    from omegaconf import OmegaConf

    from ..config.compose import make_config
    from ..cpu.tiny_model import make_tiny_model
    from ..data.live import LiveQuestions
    from ..data.settings import LIVE, DataSettings
    from .warm_up import warm_up

    config = make_config(settings, cpu=True)
    rng = Random(f"texts\0{seed}")
    data = DataSettings.of(OmegaConf.to_container(config.data.videossr))
    videos = config.data.train_files.removeprefix(LIVE)
    live = LiveQuestions(data.spec, videos, cache=data.cache)  # no length limit: the tokenizer is trained on these questions
    questions = [live[index] for index in range(WARM_UP_QUESTIONS)]

    answer = random_answer(questions, recipe.shuffled)
    texts = [f"{part['text']}{answer(question, rng)}" for question in questions for part in question["raw_prompt"][-1]["content"] if "text" in part]  # fmt: skip
    make_tiny_model(folder, [*texts, "<0.5 seconds>user assistant"], hidden=recipe.hidden, layers=recipe.layers, seed=seed)
    return asyncio.run(warm_up(folder, questions, config.data, answer, steps=recipe.warm_up, seed=seed))


def random_answer(questions: Sequence[dict[str, Any]], shuffled: bool) -> Callable[[dict[str, Any], Random], str]:
    """A function that draws a warm-up reply: a guess in the right format or, if `shuffled`, any question's right answer."""

    def draw_reply(question: dict[str, Any], rng: Random) -> str:
        source = rng.choice(questions) if shuffled else question
        task = tasks.get(source["data_source"].removeprefix(tasks.PREFIX))
        answer = task.read_truth(source["reward_model"]["ground_truth"])
        if not shuffled:
            info = question["extra_info"]
            answer = answer.guess(rng, task.guess_space(json.loads(info["params"]), info["frame_times"][0]))
        return f"<answer>{answer.format()}</answer>"

    return draw_reply
