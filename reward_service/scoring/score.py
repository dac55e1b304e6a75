"""Scores items with their tasks. No other module calls the scorers."""

import logging
from math import isfinite
from time import perf_counter

from msgspec import UNSET

from dataset_builder import tasks

from .items import Item, Mode, Result, Scored, make_fault

SLOW_SECONDS = 1.0  # a task that takes longer for one item is logged
log = logging.getLogger("reward_service")


def score_item(item: Item, mode: Mode = "smooth") -> Result:
    """Score one item. A Fault means that it is not valid, or that its task failed; a bad response scores 0."""
    name = item.task or item.data_source
    if name is None:
        return make_fault("unknown_task", f"task or data_source is missing; allowed: {', '.join(tasks.names())}", item)
    if item.task and item.data_source and item.task.removeprefix(tasks.PREFIX) != item.data_source.removeprefix(tasks.PREFIX):
        return make_fault("task_conflict", f"task={item.task!r} and data_source={item.data_source!r} differ; send one", item)
    extra = item.extra_info
    started = perf_counter()
    try:
        score = tasks.get(name).score(item.response, item.ground_truth, None if extra is None else extra.chance)
    except tasks.UnknownTask as error:
        return make_fault("unknown_task", str(error), item)
    except tasks.UsageError as error:
        return make_fault("bad_truth", str(error), item)
    except Exception:  # a task of others may raise anything; only this item fails
        log.exception("task failed", extra={"task": name})
        return make_fault("internal", "the task's scorer failed; the server's log has the traceback", item)
    if (seconds := perf_counter() - started) > SLOW_SECONDS:
        log.warning("task is slow, and all requests wait for it", extra={"task": name, "seconds": seconds})
    if not (isfinite(score.score) and isfinite(score.exact) and isfinite(score.above_chance)):
        return make_fault("internal", f"task {score.task} returned a score that is not finite", item)
    return Scored(
        reward=score.score if mode == "smooth" else score.exact if mode == "strict" else score.above_chance,
        score=score.score,
        exact=score.exact,
        above_chance=score.above_chance,
        parsed=score.parsed,
        reason=score.reason,
        task=score.task,
        id=UNSET if item.id is None else item.id,
    )
