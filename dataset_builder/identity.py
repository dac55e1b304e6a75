"""Digests that tell whether results of an earlier run may be reused."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any


def digest(*values: Any) -> str:
    """A short hash of plain values."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True, default=str).encode(), digest_size=10).hexdigest()


@cache
def code_digest(*folders: str) -> str:
    """A hash of every Python file below these folders of the package; any edit changes it."""
    package = Path(__file__).parent
    hashed = hashlib.blake2b(digest_size=8)
    for path in sorted(path for folder in folders for path in (package / folder).rglob("*.py")):
        hashed.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


@cache
def codec_versions() -> dict[str, str]:
    """Versions of the libraries that pixels and bytes depend on."""
    import av
    import cv2
    import numpy

    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))  # one PyAV version is built with several FFmpeg versions
    return {"av": av.__version__, "libavcodec": ffmpeg, "opencv": cv2.__version__, "numpy": numpy.__version__}
