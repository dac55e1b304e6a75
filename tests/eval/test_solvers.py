"""The proof that the questions can be answered from the pixels: solvers that see the decoded videos and the question alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import pytest

from dataset_builder import tasks
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.frame import encode_jpeg
from dataset_builder.media.mp4 import read_mp4
from dataset_builder.questions.job import folder_job, make_questions
from dataset_builder.questions.maker import Question
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks.answers import Labels, Order
from eval.solvers import SOLVERS, DecodedVideo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def half(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second clip of the footage."""
    folder = tmp_path_factory.mktemp("half")
    for path in sorted(videos.iterdir())[::2]:
        (folder / path.name).symlink_to(path)
    return folder


Answering = Callable[[str, str, list[DecodedVideo]], str]  # (task, question, videos) -> answer


def solver_answer(task: str, question: str, videos: list[DecodedVideo]) -> str:
    return str(SOLVERS[task](question, videos))


def above_chance(
    task: str, level: str, videos: Path, clip_cache: str, answer: Answering = solver_answer, **overrides: object
) -> list[float]:
    """Scores above the blind baseline over the questions that are not refused."""
    per_video = 3 if task in ("cuts", "camera") else 2 if task == "grounding" else 1
    spec = BuildSpec(task, seed=3, difficulty=level, per_video=per_video, overrides=overrides)
    job, _ = folder_job(spec, videos, "train", ClipCache.of(clip_cache))
    scores = []
    for made in make_questions(job):
        if isinstance(made, Question):
            decoded = [DecodedVideo(*read_mp4(video.mp4())) for video in made.videos]
            response = answer(task, made.plan.question, decoded)
            chance = made.portion.task.chance(made.portion.params, made.clip.stats.frames).smooth
            scores.append(made.portion.task.score(response, made.plan.answer.ground_truth(), chance).above_chance)
    assert len(scores) >= 2
    return scores


@pytest.mark.parametrize("task", tasks.names())
def test_questions_are_answerable_and_get_no_easier(task: str, half: Path, clip_cache: str) -> None:
    easy, extreme = (fmean(above_chance(task, level, half, clip_cache)) for level in ("easy", "extreme"))
    print(f"{task}: above chance {easy:.3f} at easy, {extreme:.3f} at extreme")
    assert easy >= (0.7 if task == "grounding" else 0.75)
    assert 0.4 < extreme <= easy + 0.05


@pytest.mark.parametrize(
    "effect", ["channel_swap", "mirror", "zoom_out", "rotate_180", "grayscale", "invert", "zoom_in", "rotate_90", "saturation"]
)
def test_named_effects_can_be_found(effect: str, half: Path, clip_cache: str) -> None:
    assert fmean(above_chance("grounding", "easy", half, clip_cache, effects=(effect,))) >= 0.45


def assert_at_chance(scores: list[float]) -> None:
    """No more than 0.05 above the blind baseline, but for what chance may add to so few questions (two standard errors)."""
    assert fmean(scores) < 0.05 + 2 * stdev(scores) / len(scores) ** 0.5


def one_frame(task: str, question: str, videos: list[DecodedVideo]) -> str:
    """The solver's answer where the videos' middle frames are all that it sees."""
    frozen = [DecodedVideo([video.frames[len(video.frames) // 2]] * len(video.frames), video.times) for video in videos]
    return str(SOLVERS[task](question, frozen))


@pytest.mark.parametrize(
    "task", [name for name in tasks.names() if name not in ("tiles", "compare", "moment", "cloze", "jigsaw")]
)
def test_one_frame_is_not_enough(task: str, half: Path, clip_cache: str) -> None:
    """Tiles are alike in all frames, and several clips are several frames, which may do."""
    assert_at_chance(above_chance(task, "easy", half, clip_cache, one_frame))


def file_sizes(task: str, question: str, videos: list[DecodedVideo]) -> str:
    """The clips by the size of their files, as an answer."""
    first, *rest = [sum(map(len, map(encode_jpeg, video.frames))) for video in videos]
    if task == "jigsaw":
        return str(Order(tuple(k + 1 for k in sorted(range(len(videos)), key=[first, *rest].__getitem__))))
    near = sorted(range(len(rest)), key=lambda k: abs(rest[k] - first))
    gaps = len(re.findall(r"gap \d", question))
    return (
        str(Labels(tuple("ABCDEFGH"[k] for k in near[:gaps])))
        if task == "cloze"
        else ",".join("A" if k == near[0] else "B" for k in range(len(rest)))
    )


@pytest.mark.parametrize("task", ["jigsaw", "cloze", "compare"])
def test_file_sizes_do_not_give_the_answer_away(task: str, half: Path, clip_cache: str) -> None:
    assert_at_chance(above_chance(task, "hard", half, clip_cache, file_sizes))
