"""What statistics keep of a scored item that belongs to a group."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from dataset_builder.tasks import LEVELS, Level, UsageError

from .items import Item, Scored

ANSWER_CHARS = SHORT = 64
_unnamed = count()
_process = os.urandom(8).hex()  # process ids come round again


class Rollout(NamedTuple):
    """One member of a group. Its texts are short, or digests."""

    group: str
    id: str
    task: str
    level: str
    score: float
    exact: float
    parsed: str
    blind: bool | None


def to_rollout(item: Item, scored: Scored) -> Rollout:
    """The rollout of an item with a group, scored smoothly. Without an id it counts as new each time."""
    extra = item.extra_info
    name = item.id if item.id is not None else f"{_process} {next(_unnamed)}"
    blind = None if extra is None or extra.blind_answer is None else scored.parsed == extra.blind_answer
    return Rollout(
        _short(f"{scored.task} {item.group}"),
        _short(str(name)),
        scored.task,
        "unknown" if extra is None else level_label(extra.level_name, extra.level),
        scored.score,
        scored.exact,
        scored.parsed[:ANSWER_CHARS].encode("utf-8", "replace").decode(),
        blind,
    )


@lru_cache(maxsize=1024)
def level_label(name: str | None, value: float | str | None) -> str:
    """A level's name, or its tenth: a curriculum's levels are a continuum, and labels are to stay few."""
    if name in LEVELS:
        return name
    try:
        level = Level.of(value if value is not None else "")
    except UsageError:
        return "unknown"
    return level.name if level.name in LEVELS else f"{level.value:.1f}"


def _short(text: str) -> str:
    if len(text) <= SHORT and text.isascii():
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
