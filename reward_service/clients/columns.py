"""Items from a dataset's columns, as TRL and ms-swift pass them to reward functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..completion import text_of
from .item import item


def items(completions: Sequence[Any], columns: Mapping[str, Any], step: Any = None) -> list[dict[str, Any]]:
    """One item for each completion.

    Args:
        completions: texts, or chats whose last message is the model's.
        columns: lists as long: `data_source` or `task`; `ground_truth`, `solution` or `reward_model`; maybe `extra_info`.
        step: the training step; with the row's index it groups the rollouts of one prompt.

    Raises:
        ValueError: naming the column that is missing, or the completion that is none.
    """
    sources = _column(columns, "data_source", "task")
    truths = _column(columns, "ground_truth", "solution", "reward_model")
    infos = columns.get("extra_info") or [None] * len(completions)
    made = []
    for completion, source, truth, info in zip(completions, sources, truths, infos, strict=True):
        extra = info if isinstance(info, Mapping) else {}
        index = extra.get("index")
        group = None if step is None or index is None else f"{step}/{extra.get('split', '')}/{index}"
        plain = truth["ground_truth"] if isinstance(truth, Mapping) else truth
        if completion != "" and not completion:
            raise ValueError(f"completion={completion!r} is none; send a text, or a chat that ends with the model's message")
        made.append(item(source, text_of(completion), plain, extra, group))
    return made


def _column(columns: Mapping[str, Any], *names: str) -> Sequence[Any]:
    for name in names:
        if columns.get(name) is not None:
            values: Sequence[Any] = columns[name]
            return values
    raise ValueError(f"the dataset has no column {' or '.join(names)}; it has: {', '.join(sorted(columns))}")
