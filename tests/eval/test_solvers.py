"""The proof that the questions can be answered from the pixels: solvers that see the decoded videos and the question alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.mp4 import read_mp4
from dataset_builder.questions.job import folder_job, make_questions
from dataset_builder.questions.maker import Question
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import LEVELS
from eval.solvers import SOLVERS, DecodedVideo
from tests.footage import videos_folder

pytestmark = pytest.mark.slow


def solver_scores(task: str, level: str, clip_cache: str, seed: int, videos: Path, **overrides: object) -> list[float]:
    """Smooth scores of the task's solver over the questions that are not refused."""
    spec = BuildSpec(task, seed=seed, difficulty=level, per_video=2 if task == "grounding" else 1, overrides=overrides)
    job, _ = folder_job(spec, videos, "train", ClipCache.of(clip_cache))
    scores = []
    for made in make_questions(job):
        if isinstance(made, Question):
            decoded = [DecodedVideo(*read_mp4(video.mp4())) for video in made.videos]
            scores.append(SOLVERS[task](made.plan.question, decoded).score(made.plan.answer)[0])
    return scores


@cache
def mean(task: str, level: str, clip_cache: str) -> float:
    scores = solver_scores(task, level, clip_cache, 3, videos_folder())
    assert len(scores) >= 8
    return sum(scores) / len(scores)


@pytest.mark.parametrize("task", ["counting", "grounding", "jigsaw"])
def test_questions_are_answerable_and_get_harder(task: str, clip_cache: str) -> None:
    minimum = {"counting": 0.85, "grounding": 0.6, "jigsaw": 0.85}[task]
    means = {level: mean(task, level, clip_cache) for level in LEVELS}
    print(task, {level: round(value, 3) for level, value in means.items()})
    assert all(means[level] >= minimum for level in ("easy", "medium", "hard"))
    assert means["extreme"] > 2 / 3 * minimum
    assert means["easy"] > means["extreme"]


@pytest.mark.parametrize(
    "effect", ["channel_swap", "mirror", "zoom_out", "rotate_180", "grayscale", "invert", "zoom_in", "rotate_90", "saturation"]
)
def test_named_effects_can_be_found(effect: str, clip_cache: str) -> None:
    scores = solver_scores("grounding", "easy", clip_cache, 4, videos_folder(), effects=(effect,))
    assert len(scores) >= 6
    assert sum(scores) / len(scores) >= 0.6
