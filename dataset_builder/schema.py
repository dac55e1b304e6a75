"""The row: what the dataset's columns are, and how a question becomes one. The same fields, without nulls, for every task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .identity import VERSION
from .questions import Question
from .render import timing
from .spec import BuildSpec
from .tasks import PREFIX

if TYPE_CHECKING:
    from datasets import Features


def features(video_format: str) -> Features:
    """The dataset's columns; `videos` are playable MP4s, or lists of JPEG frames."""
    from datasets import Features, Image, Value, Video  # here, so that worker processes start without it

    return Features(
        {
            "data_source": Value("string"),
            "prompt": [{"role": Value("string"), "content": Value("string")}],
            "videos": [Video()] if video_format == "mp4" else [[Image()]],
            "ability": Value("string"),
            "reward_model": {"style": Value("string"), "ground_truth": Value("string")},
            "extra_info": {
                "index": Value("int64"),
                "split": Value("string"),
                "portion": Value("string"),
                "task": Value("string"),
                "task_version": Value("int64"),
                "level": Value("float64"),
                "level_name": Value("string"),
                "params": Value("string"),
                "metric": Value("string"),
                "seed": Value("int64"),
                "source": Value("string"),
                "fingerprint": Value("string"),
                "donor": Value("string"),
                "width": Value("int64"),
                "height": Value("int64"),
                "frame_times": [[Value("float64")]],
                "end_times": [Value("float64")],
                "source_times": [Value("float64")],
                "chance": Value("float64"),
                "chance_exact": Value("float64"),
                "blind_answer": Value("string"),
                "recipe": Value("string"),
                "videossr_version": Value("string"),
            },
        }
    )


def to_row(question: Question, spec: BuildSpec, split: str) -> dict[str, Any]:
    """One row, as `features` wants it."""
    return {**describe(question, spec, split), "videos": _videos(question, spec.video_format)}


def describe(question: Question, spec: BuildSpec, split: str) -> dict[str, Any]:
    """A row without its videos, which are not rendered for it.

    `extra_info` holds: the item (`index`, `portion`, `seed`, `level`, `params` as JSON), where it came from (`source`,
    `fingerprint`, `donor`, `source_times` in seconds since that video's start), what the model sees (`frame_times` and
    `end_times` of each video in its own seconds), what blind answers reach (`chance` on the smooth score, `chance_exact` on
    the strict one, `blind_answer`), and the edit list (`recipe` as JSON), from which the videos can be rendered again.
    """
    portion, stats = question.portion, question.clip.stats
    task = portion.task
    chance = task.chance(portion.params, stats.frames)
    timings = [timing(stats, output) for output in question.plan.edits.clips]
    return {
        "data_source": PREFIX + task.name,
        "prompt": _prompt(question.plan.question, spec.system_prompt),
        "ability": task.ability,
        "reward_model": {"style": "rule", "ground_truth": question.plan.answer.format()},
        "extra_info": {
            "index": question.item.index,
            "split": split,
            "portion": portion.name,
            "task": task.name,
            "task_version": task.version,
            "level": portion.level.value,
            "level_name": portion.level.name,
            "params": json.dumps(portion.params, sort_keys=True),
            "metric": portion.metric,
            "seed": spec.seed,
            "source": question.source.name,
            "fingerprint": stats.fingerprint,
            "donor": question.donor_clip.stats.fingerprint if question.donor_clip else "",
            "width": stats.width,
            "height": stats.height,
            "frame_times": [list(times) for times, _ in timings],
            "end_times": [end for _, end in timings],
            "source_times": list(question.clip.source_times),
            "chance": chance.smooth,
            "chance_exact": chance.exact,
            "blind_answer": question.blind.format(),
            "recipe": question.plan.edits.to_json(),
            "videossr_version": VERSION,
        },
    }


def _prompt(question: str, system_prompt: str) -> list[dict[str, str]]:
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*system, {"role": "user", "content": question}]


def _videos(question: Question, video_format: str) -> list[Any]:
    if video_format == "jpeg":
        return [[{"bytes": jpeg, "path": None} for jpeg in video.jpegs()] for video in question.videos]
    name = f"{question.portion.name}-{question.item.index:06d}"
    return [{"bytes": video.mp4(), "path": f"{name}-{k}.mp4"} for k, video in enumerate(question.videos)]
