"""What `data.videossr` in the configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dataset_builder.spec import BuildSpec
from dataset_builder.tasks import Level

from ..curriculum import CurriculumSettings

LIVE = "live:"


@dataclass(frozen=True)
class DataSettings:
    """Of live questions, but for the first two; the rest is `BuildSpec`'s.

    Attributes:
        clip_cache, clip_cache_gb: where videos' sampled frames are kept, and how many GB of them; None for VIDEOSSR_CLIP_CACHE
            or the user's cache folder. On a cluster, a folder that all nodes see, or each node decodes for itself.
        ahead: questions ahead of training whose videos are decoded in the background.
        curriculum: whether levels follow the model.
        levels: how; fields of `CurriculumSettings`.
    """

    config: str = "videossr-30k"
    seed: int = 0
    difficulty: str | float | None = None
    samples: int | None = None
    frames: int = 48
    max_pixels: int = 256 * 256
    system_prompt: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    clip_cache: str | None = None
    clip_cache_gb: float | None = None
    ahead: int = 128
    curriculum: bool = True
    levels: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> DataSettings:
        """Raises: ValueError: for a field it does not know."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise ValueError(f"data.videossr.{name} is unknown; allowed: {', '.join(known)}")
        return cls(**given)

    def spec(self) -> BuildSpec:
        return BuildSpec(
            self.config, seed=self.seed, difficulty=self.difficulty, samples=self.samples, frames=self.frames,
            max_pixels=self.max_pixels, video_format="jpeg", system_prompt=self.system_prompt, overrides=dict(self.overrides),
        )  # fmt: skip

    def curriculum_settings(self) -> CurriculumSettings:
        """Levels start at the difficulty, or at the easiest without one.

        Raises:
            ValueError: for a field it does not know, or a value that is not allowed.
        """
        known = [one.name for one in fields(CurriculumSettings)]
        for name in self.levels:
            if name not in known:
                raise ValueError(f"data.videossr.levels.{name} is unknown; allowed: {', '.join(known)}")
        start = {} if self.difficulty is None else {"start": Level.of(self.difficulty).value}
        return CurriculumSettings(**{**start, **self.levels})
