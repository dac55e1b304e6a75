"""The proof that the questions can be answered from the pixels: solvers that see the decoded videos and the question alone."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.mp4 import read_mp4
from dataset_builder.questions.job import folder_job, make_questions
from dataset_builder.questions.maker import Question
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import LEVELS
from eval.solvers import SOLVERS, DecodedVideo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def half(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second clip of the footage."""
    folder = tmp_path_factory.mktemp("half")
    for path in sorted(videos.iterdir())[::2]:
        (folder / path.name).symlink_to(path)
    return folder


def solver_scores(task: str, level: str, videos: Path, clip_cache: str, **overrides: object) -> list[float]:
    """Smooth scores of the task's solver over the questions that are not refused."""
    spec = BuildSpec(task, seed=3, difficulty=level, per_video=2 if task == "grounding" else 1, overrides=overrides)
    job, _ = folder_job(spec, videos, "train", ClipCache.of(clip_cache))
    scores = []
    for made in make_questions(job):
        if isinstance(made, Question):
            decoded = [DecodedVideo(*read_mp4(video.mp4())) for video in made.videos]
            scores.append(SOLVERS[task](made.plan.question, decoded).score(made.plan.answer)[0])
    assert len(scores) >= 6
    return scores


@pytest.mark.parametrize(("task", "minimum"), [("counting", 0.85), ("grounding", 0.6), ("jigsaw", 0.85)])
def test_questions_are_answerable_and_get_harder(task: str, minimum: float, half: Path, clip_cache: str) -> None:
    means = {level: fmean(solver_scores(task, level, half, clip_cache)) for level in LEVELS}
    print(task, {level: round(value, 3) for level, value in means.items()})
    assert all(means[level] >= minimum for level in ("easy", "medium", "hard"))
    assert means["extreme"] > 2 / 3 * minimum
    assert means["easy"] > means["extreme"]


@pytest.mark.parametrize(
    "effect", ["channel_swap", "mirror", "zoom_out", "rotate_180", "grayscale", "invert", "zoom_in", "rotate_90", "saturation"]
)
def test_named_effects_can_be_found(effect: str, half: Path, clip_cache: str) -> None:
    assert fmean(solver_scores("grounding", "easy", half, clip_cache, effects=(effect,))) >= 0.6
