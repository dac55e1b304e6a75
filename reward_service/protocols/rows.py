"""Shared by the protocols: finds task and ground truth in a label or a row, and builds the item."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..completion import NoResponse, extract_text
from ..scoring.items import ExtraInfo, Fault, Item, make_fault
from .base import Call

_EXTRA_KEYS = tuple(field.name for field in msgspec.structs.fields(ExtraInfo))


def to_item(response: Any, label: Any, call: Call, row: Any = None, **fields: Any) -> Item | Fault:
    """Build an item from a response and a label, a row, or both. An item that is not valid is returned as a Fault.

    A label is the ground truth itself, or an object (or its JSON text) with the keys of a row: `task` or `data_source`,
    `ground_truth` or `reward_model.ground_truth`, and optionally `extra_info` and `group`. The label takes precedence over
    the row. The row's `id` is not used: it names the question, which all rollouts of a group share.
    """
    sources = [source for source in (_parse_object(label), _parse_object(row)) if source is not None]
    label_is_truth = isinstance(label, (str, int)) and not isinstance(label, bool) and _parse_object(label) is None
    truth: Any = label if label_is_truth else _find_ground_truth(sources)
    if truth is None:
        return make_fault("invalid_item", "no ground truth; send it as the label, or in an object with task and ground_truth")
    extra_info = _parse_object(_first_value(sources, "extra_info")) or {}
    try:
        text = extract_text(response)
    except NoResponse as error:
        return make_fault("invalid_item", str(error))
    raw = {
        "response": text,
        "ground_truth": str(truth) if isinstance(truth, int) and not isinstance(truth, bool) else truth,
        "task": call.task or _first_value(sources, "task"),
        "data_source": _first_value(sources, "data_source") or (_first_value(sources, "task") if call.task else None),
        "extra_info": {key: extra_info[key] for key in _EXTRA_KEYS if extra_info.get(key) is not None},
        "group": next((group for source in sources if isinstance(group := source.get("group"), (str, int))), None),
        **fields,
    }
    return parse_item(raw)


def continue_thought(prompt: Any, response: str) -> str:
    """The response, with the opening of its thought where the chat template has put it into the prompt already."""
    return f"<think>{response}" if isinstance(prompt, str) and prompt.rstrip().endswith("<think>") else response


def parse_item(raw: Any) -> Item | Fault:
    """Convert decoded JSON to an item; a Fault says what is not valid."""
    try:
        return msgspec.convert(raw, Item)
    except msgspec.ValidationError as error:
        return make_fault("invalid_item", str(error))


def _parse_object(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None
    return None


def _find_ground_truth(sources: Sequence[Mapping[str, Any]]) -> Any:
    for source in sources:
        inner = _parse_object(source.get("reward_model")) or {}
        for truth in (source.get("ground_truth"), inner.get("ground_truth")):
            if truth is not None:
                return truth
    return None


def _first_value(sources: Sequence[Mapping[str, Any]], key: str) -> Any:
    return next((source[key] for source in sources if source.get(key) is not None), None)
