"""The dataset's columns, and how a question becomes a row. All tasks share the same fields, without nulls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..media.clip import make_clip
from ..media.frame import Frame, decode_jpeg
from ..media.mp4 import read_mp4
from ..media.render import RenderedClip, render, timing
from ..media.sampling import Sampling
from ..sources.fingerprint import fingerprint
from ..tasks import PREFIX, EditList, UsageError
from ..version import VERSION
from .maker import Question
from .spec import BuildSpec

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
    """One row, with the columns of `features`."""
    return {**describe(question, spec, split), "videos": _videos(question, spec.video_format)}


def describe(question: Question, spec: BuildSpec, split: str) -> dict[str, Any]:
    """A row without its videos; renders nothing.

    `extra_info` holds the item (`index`, `portion`, `seed`, `level`, `params` as JSON), its origin (`source`, `fingerprint`,
    `donor`, `source_times` in seconds since the source video's start), what the model sees (`frame_times` and `end_times` in
    seconds since each video's start), the blind baseline (`chance` on the smooth score, `chance_exact` on the strict one,
    `blind_answer`), and the edit list (`recipe` as JSON), from which the videos can be rendered again.
    """
    portion, stats = question.portion, question.clip.stats
    task = portion.task
    chance = task.chance(portion.params, stats.frames)
    timings = [timing(stats, output) for output in question.plan.edits.clips]
    system = [{"role": "system", "content": spec.system_prompt}] if spec.system_prompt else []
    return {
        "data_source": PREFIX + task.name,
        "prompt": [*system, {"role": "user", "content": question.plan.question}],
        "ability": task.ability,
        "reward_model": {"style": "rule", "ground_truth": question.plan.answer.ground_truth()},
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


def _videos(question: Question, video_format: str) -> list[Any]:
    if video_format == "jpeg":
        return [[{"bytes": jpeg, "path": None} for jpeg in video.jpegs()] for video in question.videos]
    name = f"{question.portion.name}-{question.item.index:06d}"
    return [{"bytes": video.mp4(), "path": f"{name}-{k}.mp4"} for k, video in enumerate(question.videos)]


def decode_video(video: Any) -> list[Frame]:
    """The frames of one of a row's `videos`, in either format; raises ValueError or av.FFmpegError if it is broken."""
    return [decode_jpeg(image["bytes"]) for image in video] if isinstance(video, list) else read_mp4(video["bytes"])[0]


def render_row(
    row: Mapping[str, Any], video: str | bytes, donor: str | bytes | None = None, sampling: Sampling | None = None
) -> tuple[RenderedClip, ...]:
    """Render the row's videos again from its recipe and the raw video.

    Args:
        video, donor: local paths, or the files' bytes; the donor is needed if `extra_info.donor` is not empty.
        sampling: the sampling of the row's build; None for the default.

    Raises:
        UsageError: if a video is not the one that the row was made from, or the donor is missing.
        UnusableVideo: if a video cannot be decoded.
    """
    info = row["extra_info"]
    clips = []
    for name, file, expected in (("video", video, info["fingerprint"]), ("donor", donor, info["donor"])):
        if not expected:
            continue
        if file is None or fingerprint(file) != expected:
            raise UsageError(f"{name} is not the file that this row was made from, whose fingerprint is {expected}")
        clips.append(make_clip(file, expected, sampling or Sampling()))
    if list(clips[0].source_times) != list(info["source_times"]) or clips[0].stats.width != info["width"]:
        raise UsageError("the clip differs from the row's; give the `sampling` of the row's build")
    return render(clips[0], EditList.from_json(info["recipe"]), clips[1] if len(clips) > 1 else None)
