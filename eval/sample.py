"""A sample: one question on one or several videos, and what is needed to ask and to score it."""

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
    """One video as every model sees it: JPEG frames at their final size, and their times in its own seconds."""

    jpegs: tuple[bytes, ...]
    times: tuple[float, ...]

    def frames(self) -> list[Frame]:
        return [decode_jpeg(jpeg) for jpeg in self.jpegs]

    @property
    def geometry(self) -> tuple[int, int, int]:
        """Frames, width, height."""
        width, height = Image.open(io.BytesIO(self.jpegs[0])).size  # reads no more than the header
        return len(self.jpegs), width, height


@dataclass(frozen=True)
class Sample:
    """A question.

    Attributes:
        id: its name within the benchmark.
        column: the column of tables that it counts to.
        group: the source video; samples of one group are not independent.
        question: with a `<video>` for each video, in their order.
        truth: the right answer; several allowed ones are separated by `|`.
        kind: how responses are scored: by a task of the registry, by option letter, by time interval.
        metric: which value of a `Mark` its column reports.
        chance: what the best blind answer reaches on that metric.
        blind: that answer.
        videos: where its videos are had, as `frames.Frames` reads them.
        content: a hash of what they show.
        info: what `kind` needs besides: `task` and its `params`; `options`.
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
        """Changes with whatever a model is shown."""
        return digest(self.question, self.content)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Benchmark:
    """A list of samples under one name.

    Attributes:
        name: `viubench`, or the questions' file.
        kind: `viubench`, `vqa` or `vtg`: how it is summed up.
        samples: in their order.
        sampling: how frames are taken from source videos.
        missing: files that samples want and that are not there, each named once.
        told: what is to be known of it besides: seed, videos, …
    """

    name: str
    kind: str
    samples: tuple[Sample, ...]
    sampling: Sampling
    missing: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """The frozen benchmark's name for leaderboards: of every question, its videos' content and its answer."""
        return digest(sorted([one.id, one.column, one.fingerprint, one.truth, one.metric] for one in self.samples))
