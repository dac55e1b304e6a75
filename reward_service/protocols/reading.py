"""What foreign formats have in common: where task and truth stand in a label or a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..completion import NoResponse, text_of
from ..items import ExtraInfo, Fault, Item, fault
from .base import Call

_EXTRA = tuple(field.name for field in msgspec.structs.fields(ExtraInfo))


def to_item(response: Any, label: Any, call: Call, row: Any = None, **names: Any) -> Item | Fault:
    """One item from a response and a label or row, or both.

    A label is the ground truth itself; or an object, as JSON text or not, that holds it as a row does: `task` or
    `data_source`, `ground_truth` or `reward_model.ground_truth`, and maybe `extra_info` and `group`.
    The label goes before the row. A row's `id` is its question's, which all rollouts share; it says nothing here.
    """
    sources = [source for source in (_object(label), _object(row)) if source is not None]
    plain = isinstance(label, (str, int)) and not isinstance(label, bool) and _object(label) is None
    truth: Any = label if plain else _truth(sources)
    if truth is None:
        return fault("invalid_item", "no ground truth; send it as the label, or in an object with task and ground_truth")
    extra = _object(_first(sources, "extra_info")) or {}
    try:
        text = text_of(response)
    except NoResponse as error:
        return fault("invalid_item", str(error))
    raw = {
        "response": text,
        "ground_truth": str(truth) if isinstance(truth, int) and not isinstance(truth, bool) else truth,
        "task": call.task or _first(sources, "task"),
        "data_source": _first(sources, "data_source") or (_first(sources, "task") if call.task else None),
        "extra_info": {key: extra[key] for key in _EXTRA if extra.get(key) is not None},
        "group": next((group for source in sources if isinstance(group := source.get("group"), (str, int))), None),
        **names,
    }
    return parse_item(raw)


def parse_item(raw: Any) -> Item | Fault:
    """Decoded JSON as an item, or what does not fit."""
    try:
        return msgspec.convert(raw, Item)
    except msgspec.ValidationError as error:
        return fault("invalid_item", str(error))


def _object(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None
    return None


def _truth(sources: Sequence[Mapping[str, Any]]) -> Any:
    for source in sources:
        inner = _object(source.get("reward_model")) or {}
        for truth in (source.get("ground_truth"), inner.get("ground_truth")):
            if truth is not None:
                return truth
    return None


def _first(sources: Sequence[Mapping[str, Any]], key: str) -> Any:
    return next((source[key] for source in sources if source.get(key) is not None), None)
