"""What makes two builds the same: the choices, the videos' content, the code and the codecs below it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sources import Source
    from .spec import BuildSpec

VERSION = "0.1.0"

_MAKES_CLIPS = (
    "cache.py",
    "clip.py",
    "effects.py",
    "mp4.py",
    "sampling.py",
    "stats.py",
    "tasks/anomalies.py",
    "tasks/clip_stats.py",
    "video.py",
)
_COMES_AFTER = (
    "cli.py",
    "commands/",
    "demo.py",
    "exports/",
    "finished.py",
    "footage.py",
    "hub/",
    "preview.py",
    "progress.py",
    "references.py",
    "report.py",
    "validate.py",
)


def dataset_id(spec: BuildSpec, splits: Mapping[str, Sequence[Source]]) -> str:
    """A hash that changes if and only if the rows may: not with the videos' folder or their times."""
    videos = {split: [[source.name, source.fingerprint or source.stamp] for source in own] for split, own in splits.items()}
    versions = {portion.task.name: portion.task.version for portion in spec.portions}
    return digest(spec.to_dict(), videos, versions, code_digest(), codec_versions())


def digest(*values: Any) -> str:
    """A short hash of plain values."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True, default=str).encode(), digest_size=10).hexdigest()


def code_digest() -> str:
    """Hash of the source files that rows depend on: for all we know, an edit to any of them makes other rows."""
    return _hash_files(leaving_out=_COMES_AFTER)


def clip_code_digest() -> str:
    """The same for sampled clips."""
    return _hash_files(only=_MAKES_CLIPS)


@cache
def _hash_files(only: tuple[str, ...] = (), leaving_out: tuple[str, ...] = ()) -> str:
    root = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(leaving_out) and (not only or name in only):
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def codec_versions() -> dict[str, str]:
    """Versions of the libraries that pixels and bytes depend on."""
    import av
    import cv2
    import numpy

    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))  # the same PyAV is built with others
    return {"av": av.__version__, "libavcodec": ffmpeg, "opencv": cv2.__version__, "numpy": numpy.__version__}
