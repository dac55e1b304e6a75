"""The record that group statistics keep of a scored rollout."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from dataset_builder.tasks import LEVELS, Level, UsageError

from .items import Item, Scored

MAX_ANSWER_CHARS = MAX_NAME_CHARS = 64
_unnamed_counter = count()
_process_token = os.urandom(8).hex()  # unlike a process id, never reused


class Rollout(NamedTuple):
    """One rollout of a group. Long names are replaced by digests, long answers are cut."""

    group: str
    id: str
    task: str
    level: str
    score: float
    exact: float
    parsed: str
    blind: bool | None


def to_rollout(item: Item, scored: Scored) -> Rollout:
    """Build the record of an item that has a group; `scored.score` must be the smooth score. Without an id it is always new."""
    extra = item.extra_info
    name = item.id if item.id is not None else f"{_process_token} {next(_unnamed_counter)}"
    blind = None if extra is None or extra.blind_answer is None else scored.parsed == extra.blind_answer
    return Rollout(
        _shorten(f"{scored.task} {item.group}"),
        _shorten(str(name)),
        scored.task,
        "unknown" if extra is None else level_label(extra.level_name, extra.level),
        scored.score,
        scored.exact,
        scored.parsed[:MAX_ANSWER_CHARS].encode("utf-8", "replace").decode(),
        blind,
    )


@lru_cache(maxsize=1024)
def level_label(name: str | None, value: float | str | None) -> str:
    """The level's name, or its value rounded to 0.1: a curriculum uses any value in [0, 1], and labels must stay few."""
    if name in LEVELS:
        return name
    try:
        level = Level.of(value if value is not None else "")
    except UsageError:
        return "unknown"
    return level.name if level.name in LEVELS else f"{level.value:.1f}"


def _shorten(text: str) -> str:
    if len(text) <= MAX_NAME_CHARS and text.isascii():
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
