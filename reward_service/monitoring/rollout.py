"""The record that group statistics and the rollout log keep of a scored rollout."""

from hashlib import blake2b

from msgspec import Struct

from dataset_builder.tasks import LEVELS, Level, UsageError

from ..scoring.items import Item, Scored

MAX_CHARS = 64  # of an answer or name


class Rollout(Struct, frozen=True, gc=False):
    """One rollout of a group. Long names are replaced by digests, long answers are cut."""

    run: str
    group: str
    task: str
    level: str
    score: float
    exact: float
    parsed: str
    blind: bool | None = None  # whether it is the blind baseline's answer
    id: str | None = None


def make_rollout(item: Item, scored: Scored, run: str) -> Rollout:
    """The record of an item that has a group, in a training run; without an id it counts each time that it is sent."""
    extra = item.extra_info
    return Rollout(
        shorten(run),
        shorten(str(item.group)),
        scored.task,
        "unknown" if extra is None else level_label(extra.level_name, extra.level),
        scored.score,
        scored.exact,
        scored.parsed[:MAX_CHARS].encode("utf-8", "replace").decode(),
        None if extra is None or extra.blind_answer is None else scored.parsed == extra.blind_answer,
        None if item.id is None else shorten(str(item.id)),
    )


def level_label(name: str | None, value: float | str | None) -> str:
    """The level's name, or its value rounded to 0.1: a curriculum uses any value in [0, 1], and labels must stay few."""
    if name in LEVELS:
        return name
    try:
        level = Level.of("" if value is None else value)
    except UsageError:
        return "unknown"
    return level.name if level.name in LEVELS else f"{level.value:.1f}"


def shorten(text: str) -> str:
    """The text, or its digest if it is long."""
    if len(text) <= MAX_CHARS and text.isascii():
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
