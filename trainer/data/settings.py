"""The settings in `data.videossr` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import Level, UsageError

from .curriculum import CurriculumSettings
from .mixture import MixtureSettings

LIVE = "live:"
# fields of BuildSpec without a meaning for live questions, whose frames are always JPEG
_BUILD_ONLY = ("per_video", "sampling", "video_format")


@dataclass(frozen=True)
class DataSettings:
    """Settings of live questions. Stored questions do not use them.

    Attributes:
        spec: which questions to generate; its fields are on the same level as the other settings in the configuration.
        cache: cache of sampled frames (`clip_cache`, `clip_cache_gb`). On a cluster use a folder that all nodes share;
            otherwise each node decodes every video.
        ahead: number of questions whose videos are decoded in advance, in the background.
        curriculum: None if levels do not change.
        mixture: None if the portions' weights do not change.
    """

    spec: BuildSpec
    cache: ClipCache
    ahead: int = 128
    curriculum: CurriculumSettings | None = None
    mixture: MixtureSettings | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DataSettings:
        """Read the configuration.

        Raises:
            UsageError: if a field is unknown or its value is not allowed.
        """
        spec_names = [field.name for field in fields(BuildSpec) if field.name not in _BUILD_ONLY]
        other_names = ["clip_cache", "clip_cache_gb", "ahead", "curriculum", "levels", "mixture"]
        _check_names("data.videossr", values, [*spec_names, *other_names])
        values = {"preset": "videossr-30k", "ahead": cls.ahead, "curriculum": True, "levels": {}, "mixture": True, **values}
        spec = BuildSpec(**{name: values[name] for name in spec_names if name in values}, video_format="jpeg")
        cache = ClipCache.of(values.get("clip_cache"), values.get("clip_cache_gb"))
        curriculum = _curriculum(values["levels"], spec) if values["curriculum"] else None
        return cls(spec, cache, values["ahead"], curriculum, MixtureSettings() if values["mixture"] else None)


def _curriculum(values: Mapping[str, Any], spec: BuildSpec) -> CurriculumSettings:
    """Curriculum settings. The first level is the spec's difficulty, or 0 without one."""
    _check_names("data.videossr.levels", values, [field.name for field in fields(CurriculumSettings)])
    start = {} if spec.difficulty is None else {"start": Level.of(spec.difficulty).value}
    return CurriculumSettings(**{**start, **values})


def _check_names(section: str, values: Mapping[str, Any], allowed: list[str]) -> None:
    for name in values:
        if name not in allowed:
            raise UsageError(f"{section}.{name} is unknown; allowed: {', '.join(allowed)}")
