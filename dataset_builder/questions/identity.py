"""What makes two datasets the same: the choices, the videos' content, the code and the codecs below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..identity import code_digest, codec_versions, digest
from ..sources.source import Source
from .spec import BuildSpec


def dataset_id(spec: BuildSpec, splits: Mapping[str, Sequence[Source]]) -> str:
    """A hash that changes if and only if the rows may: not with the videos' folder or their times."""
    videos = {split: [[source.name, source.fingerprint or source.stamp] for source in own] for split, own in splits.items()}
    versions = {portion.task.name: portion.task.version for portion in spec.portions}
    return digest(spec.to_dict(), videos, versions, row_code_digest(), codec_versions())


def row_code_digest() -> str:
    """A hash of the code that rows depend on."""
    return code_digest("tasks", "media", "questions")
