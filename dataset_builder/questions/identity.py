"""What makes two datasets the same: spec, content of the videos, code and codec versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..identity import code_digest, codec_versions, digest
from ..sources.source import Source
from ..version import VERSION
from .spec import BuildSpec


def dataset_id(spec: BuildSpec, splits: Mapping[str, Sequence[Source]]) -> str:
    """A hash that changes if and only if the rows may change; moving or touching the videos does not change it."""
    videos = {
        split: [(source.name, source.fingerprint or source.stamp, source.version) for source in sources]
        for split, sources in splits.items()
    }
    versions = {portion.task.name: portion.task.version for portion in spec.portions}
    return digest(spec.to_dict(), videos, versions, VERSION, row_code_digest(), codec_versions())


def row_code_digest() -> str:
    """A hash of the code that rows depend on."""
    return code_digest("tasks", "media", "questions")
