"""Builds items for `/v1/score` from a trainer's values, which may be numpy scalars."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from ..completion import extract_text

EXTRA = ("chance", "level", "level_name", "blind_answer")  # the keys of a row's extra_info that the service reads


def item(
    data_source: str,
    response: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    group: Any = None,
    id: Any = None,
) -> dict[str, Any]:
    """Build one item for the client. Numpy scalars become Python values; only the EXTRA keys of `extra_info` are sent.

    `group` is the same for all rollouts of one prompt in one step; `id` names the rollout.
    Raises ValueError if the response is not a string or the ground truth is missing: neither is a wrong answer.
    """
    if not isinstance(response, str):
        raise ValueError(f"response={response!r:.100} is not a string; send the text that the model generated")
    truth = _to_python(ground_truth)
    if truth is None:
        raise ValueError(f"ground_truth={ground_truth!r} is missing; send the row's value")
    extra = {key: _to_python(extra_info[key]) for key in EXTRA if extra_info and extra_info.get(key) is not None}
    names = {key: str(_to_python(name)) for key, name in (("group", group), ("id", id)) if name is not None}
    built = {"data_source": str(data_source), "response": str(response), "ground_truth": str(truth), **names}
    return {**built, "extra_info": extra} if extra else built


def make_items(completions: Sequence[Any], columns: Mapping[str, Any], step: Any = None) -> list[dict[str, Any]]:
    """Build one item for each completion, a string or a chat, from dataset columns as TRL and ms-swift pass them.

    Columns: `data_source` or `task`; `ground_truth`, `solution` or `reward_model`; maybe `extra_info`, whose `index` names,
    with the training step, the group of a rollout.
    Raises ValueError if a column is missing, or a completion is empty, None or a chat that ends with someone else's message.
    """
    sources = _column(columns, "data_source", "task")
    truths = _column(columns, "ground_truth", "solution", "reward_model")
    infos = columns.get("extra_info") or [None] * len(completions)
    items = []
    for completion, source, truth, info in zip(completions, sources, truths, infos, strict=True):
        if completion != "" and not completion:
            raise ValueError(f"completion={completion!r} is empty; send a string, or a chat that ends with the model's message")
        extra = info if isinstance(info, Mapping) else {}
        index = extra.get("index")
        group = None if step is None or index is None else f"{step}/{extra.get('split', '')}/{index}"
        answer = truth["ground_truth"] if isinstance(truth, Mapping) else truth
        items.append(item(source, extract_text(completion), answer, extra, group))
    return items


def _column(columns: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if columns.get(name) is not None:
            return columns[name]
    raise ValueError(f"the dataset has no column {' or '.join(names)}; it has: {', '.join(sorted(columns))}")


def _to_python(value: Any) -> Any:
    """Convert a numpy scalar to a Python value, and NaN, which JSON cannot hold, to None."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return None if isinstance(value, float) and isnan(value) else value
