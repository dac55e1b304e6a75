"""Item → Score. The one place where the service calls the tasks."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from msgspec import UNSET

from dataset_builder import tasks

from .items import Item, Mode, Result, Scored, fault


def score_item(item: Item, max_chars: int = 2_000_000) -> Result:
    """Score one item; `score` is the smooth value. What is wrong with the item, not with its response, is a Fault."""
    name = item.task or item.data_source
    if name is None:
        return fault("unknown_task", f"task or data_source is missing; allowed: {', '.join(tasks.names())}", item)
    if item.task and item.data_source and not same_task(item.task, item.data_source):
        return fault("task_conflict", f"task={item.task!r} and data_source={item.data_source!r} differ; send one", item)
    if len(item.response) > max_chars:
        return fault("too_long", f"response has {len(item.response)} characters; allowed: {max_chars}", item)
    extra = item.extra_info
    try:
        task = tasks.get(name)
        score = task.score(item.response, item.ground_truth, None if extra is None else extra.chance)
    except tasks.UnknownTask as error:
        return fault("unknown_task", str(error), item)
    except tasks.UsageError as error:
        return fault("bad_truth", str(error), item)
    if not (isfinite(score.score) and isfinite(score.exact) and isfinite(score.above_chance)):
        return fault("internal", f"task {score.task} gave a score that is no finite number", item)
    return Scored(
        score=score.score,
        exact=score.exact,
        above_chance=score.above_chance,
        parsed=score.parsed,
        reason=score.reason,
        task=score.task,
        id=UNSET if item.id is None else item.id,
    )


def same_task(one: str, other: str) -> bool:
    """Whether two names are one task's, with or without the prefix of a row's data_source."""
    return one.removeprefix(tasks.PREFIX) == other.removeprefix(tasks.PREFIX)


def to_mode(results: Iterable[Result], mode: Mode) -> None:
    """Make `score` the reward of that mode, in place."""
    if mode == "smooth":
        return
    for result in results:
        if isinstance(result, Scored):
            result.score = result.exact if mode == "strict" else result.above_chance
