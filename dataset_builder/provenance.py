"""What made a row, beyond its parameters: this package's code and the codecs below it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.1.0"


@cache
def code_digest() -> str:
    """Hash of this package's source files: an edit to any of them makes other rows for all we know."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def codec_versions() -> dict[str, str]:
    """Versions of the libraries that pixels and bytes depend on."""
    import av
    import cv2
    import numpy

    return {"av": av.__version__, "opencv": cv2.__version__, "numpy": numpy.__version__}
