"""What `data.videossr` in the configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import Level, UsageError

from ..curriculum import CurriculumSettings

LIVE = "live:"
# JPEG is what the frames of live questions are; the others have no meaning for them
_NOT_LIVE = ("per_video", "sampling", "video_format")


@dataclass(frozen=True)
class DataSettings:
    """Of live questions, but for the cache.

    Attributes:
        spec: what is asked; in the configuration its fields stand beside those below.
        cache: where videos' sampled frames are kept (`clip_cache`, `clip_cache_gb`). On a cluster, a folder that all nodes
            see, or each node decodes for itself.
        ahead: questions ahead of training whose videos are decoded in the background.
        curriculum: None where levels stay as they are.
    """

    spec: BuildSpec
    cache: ClipCache
    ahead: int = 128
    curriculum: CurriculumSettings | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DataSettings:
        """Read the configuration.

        Raises:
            UsageError: for a field that it does not know, or a value that is not allowed.
        """
        choices = [one.name for one in fields(BuildSpec) if one.name not in _NOT_LIVE]
        own = ["clip_cache", "clip_cache_gb", "ahead", "curriculum", "levels"]
        _check_names("data.videossr", values, [*choices, *own])
        values = {"preset": "videossr-30k", "ahead": cls.ahead, "curriculum": True, "levels": {}, **values}
        spec = BuildSpec(**{name: values[name] for name in choices if name in values}, video_format="jpeg")
        cache = ClipCache.of(values.get("clip_cache"), values.get("clip_cache_gb"))
        curriculum = _curriculum(values["levels"], spec) if values["curriculum"] else None
        return cls(spec, cache, values["ahead"], curriculum)


def _curriculum(values: Mapping[str, Any], spec: BuildSpec) -> CurriculumSettings:
    """Levels start at the difficulty, or at the easiest without one."""
    _check_names("data.videossr.levels", values, [one.name for one in fields(CurriculumSettings)])
    start = {} if spec.difficulty is None else {"start": Level.of(spec.difficulty).value}
    return CurriculumSettings(**{**start, **values})


def _check_names(where: str, values: Mapping[str, Any], known: list[str]) -> None:
    for name in values:
        if name not in known:
            raise UsageError(f"{where}.{name} is unknown; allowed: {', '.join(known)}")
