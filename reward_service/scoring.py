"""Scores an item with its task. No other module calls the scorers."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from msgspec import UNSET

from dataset_builder import tasks

from .items import Item, Mode, Result, Scored, make_fault


def score_item(item: Item, max_chars: int = 2_000_000) -> Result:
    """Score one item; `score` is the smooth score. A Fault means that the item is not valid; a bad response scores 0."""
    name = item.task or item.data_source
    if name is None:
        return make_fault("unknown_task", f"task or data_source is missing; allowed: {', '.join(tasks.names())}", item)
    if item.task and item.data_source and not is_same_task(item.task, item.data_source):
        return make_fault("task_conflict", f"task={item.task!r} and data_source={item.data_source!r} differ; send one", item)
    if len(item.response) > max_chars:
        return make_fault("too_long", f"response has {len(item.response)} characters; allowed: {max_chars}", item)
    extra = item.extra_info
    try:
        task = tasks.get(name)
        score = task.score(item.response, item.ground_truth, None if extra is None else extra.chance)
    except tasks.UnknownTask as error:
        return make_fault("unknown_task", str(error), item)
    except tasks.UsageError as error:
        return make_fault("bad_truth", str(error), item)
    if not (isfinite(score.score) and isfinite(score.exact) and isfinite(score.above_chance)):
        return make_fault("internal", f"task {score.task} returned a score that is not finite", item)
    return Scored(
        score=score.score,
        exact=score.exact,
        above_chance=score.above_chance,
        parsed=score.parsed,
        reason=score.reason,
        task=score.task,
        id=UNSET if item.id is None else item.id,
    )


def is_same_task(name: str, other_name: str) -> bool:
    """Whether two names mean one task. A data_source has the prefix `videossr/`."""
    return name.removeprefix(tasks.PREFIX) == other_name.removeprefix(tasks.PREFIX)


def to_mode(results: Iterable[Result], mode: Mode) -> None:
    """Set `score` of each result to the reward of this mode, in place."""
    if mode == "smooth":
        return
    for result in results:
        if isinstance(result, Scored):
            result.score = result.exact if mode == "strict" else result.above_chance
