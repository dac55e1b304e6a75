"""A benchmark's samples: each is one question on one or several videos, with its ground truth."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from PIL import Image

from dataset_builder.identity import digest
from dataset_builder.media.frame import Frame, decode_jpeg
from dataset_builder.media.sampling import Sampling

Kind = Literal["task", "choice", "interval"]


@dataclass(frozen=True)
class Video:
    """One video as every model sees it: T JPEG frames at their final size, and their T times in seconds of the source video."""

    jpegs: tuple[bytes, ...]
    times: tuple[float, ...]

    def frames(self) -> list[Frame]:
        """The decoded frames, each (height, width, 3) uint8."""
        return [decode_jpeg(jpeg) for jpeg in self.jpegs]

    @property
    def geometry(self) -> tuple[int, int, int]:
        """(frames, width, height)."""
        width, height = Image.open(io.BytesIO(self.jpegs[0])).size  # reads only the JPEG header
        return len(self.jpegs), width, height


@dataclass(frozen=True)
class Sample:
    """One question.

    Attributes:
        id: unique within the benchmark.
        column: the table column that averages this sample.
        group: the source video; samples of one group are not independent.
        question: the prompt, with one `<video>` for each video, in order.
        truth: the ground truth; if several answers are right, they are separated by `|`.
        kind: how a response is scored: by a registered task, by option letter, or by time interval.
        metric: the metric that the column reports, a key of `Score.values`.
        chance: the blind baseline: what the best constant answer scores on that metric.
        blind: that constant answer; "" if it is not known.
        videos: a reference to the videos, which `frames.Frames` loads.
        content: a hash of what the videos show.
        info: what scoring needs: `task` and its `params`, `options`, or `duration` in seconds.
    """

    id: str
    column: str
    group: str
    question: str
    truth: str
    kind: Kind
    metric: str
    chance: float
    blind: str
    videos: Mapping[str, Any]
    content: str
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the model sees."""
        return digest(self.question, self.content)

    def to_dict(self) -> dict[str, Any]:
        """One line of samples.jsonl."""
        return asdict(self)


@dataclass(frozen=True)
class Benchmark:
    """A named list of samples.

    Attributes:
        name: `viubench`, a preset, or the stem of the questions' file.
        kind: `viubench`, `vqa` or `vtg`; decides how the overall value is averaged.
        samples: in the order in which they are asked.
        sampling: how frames are sampled from source videos.
        missing: names of videos that the questions use and that were not found.
        facts: settings and counts to report: seed, number of videos, … (the key `told` in run.json).
    """

    name: str
    kind: str
    samples: tuple[Sample, ...]
    sampling: Sampling
    missing: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Identifies a frozen benchmark, e.g. on a leaderboard: a hash of all questions, video contents and ground truths."""
        return digest(sorted([s.id, s.column, s.fingerprint, s.truth, s.metric] for s in self.samples))
