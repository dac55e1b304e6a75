"""Builds items from dataset columns, as TRL and ms-swift pass them to reward functions."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..completion import extract_text
from .item import item


def make_items(completions: Sequence[Any], columns: Mapping[str, Any], step: Any = None) -> list[dict[str, Any]]:
    """Build one item for each completion.

    Args:
        completions: strings, or chats that end with the model's message.
        columns: lists of equal length: `data_source` or `task`; `ground_truth`, `solution` or `reward_model`; maybe `extra_info`.
        step: the training step. Step and row index together name the group of a rollout.

    Raises:
        ValueError: if a column is missing or a completion is empty or None.
    """
    sources = _column(columns, "data_source", "task")
    truths = _column(columns, "ground_truth", "solution", "reward_model")
    infos = columns.get("extra_info") or [None] * len(completions)
    items = []
    for completion, source, truth, info in zip(completions, sources, truths, infos, strict=True):
        extra = info if isinstance(info, Mapping) else {}
        index = extra.get("index")
        group = None if step is None or index is None else f"{step}/{extra.get('split', '')}/{index}"
        answer = truth["ground_truth"] if isinstance(truth, Mapping) else truth
        if completion != "" and not completion:
            raise ValueError(f"completion={completion!r} is empty; send a string, or a chat that ends with the model's message")
        items.append(item(source, extract_text(completion), answer, extra, group))
    return items


def _column(columns: Mapping[str, Any], *names: str) -> Sequence[Any]:
    for name in names:
        if columns.get(name) is not None:
            values: Sequence[Any] = columns[name]
            return values
    raise ValueError(f"the dataset has no column {' or '.join(names)}; it has: {', '.join(sorted(columns))}")
