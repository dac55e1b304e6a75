"""What makes two builds the same: the choices, the videos' content, the code and the codecs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .provenance import code_digest, codec_versions
from .sources import Source
from .spec import BuildSpec


def dataset_id(spec: BuildSpec, splits: Mapping[str, Sequence[Source]]) -> str:
    """A hash that changes if and only if the rows may: not with the videos' folder or their times."""
    return digest(
        spec.to_dict(),
        {split: [[source.name, source.fingerprint or source.stamp] for source in sources] for split, sources in splits.items()},
        code_digest(),
        codec_versions(),
    )


def digest(*values: Any) -> str:
    """A short hash of plain values."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True, default=str).encode(), digest_size=10).hexdigest()
