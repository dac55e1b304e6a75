"""Shared by the protocols: finds task and ground truth in a label or a row, and builds the item."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from ..completion import NoResponse, extract_text
from ..scoring.items import ExtraInfo, Fault, Item, make_fault
from .base import Call


def to_item(response: Any, label: Any, call: Call, row: Any = None, **fields: Any) -> Item | Fault:
    """Build an item from a response and a label, a row, or both. An item that is not valid is returned as a Fault.

    A label is the ground truth itself, or an object (or its JSON text) with the keys of a row: `task` or `data_source`,
    `ground_truth` or `reward_model.ground_truth`, and optionally `extra_info` and `group`. The label takes precedence over
    the row. The row's `id` is not used: it names the question, which all rollouts of a group share.
    """
    label_object, row_object = _parse_object(label), _parse_object(row)
    sources = [source for source in (label_object, row_object) if source is not None]

    def first(key: str) -> Any:
        for source in sources:
            if (value := source.get(key)) is not None:
                return value
        return None

    if label_object is None and type(label) in (str, int):
        truth = label
    else:
        holders = (holder for source in sources for holder in (source, _parse_object(source.get("reward_model")) or {}))
        truth = next((holder["ground_truth"] for holder in holders if holder.get("ground_truth") is not None), None)
    if truth is None:
        return make_fault("invalid_item", "no ground truth; send it as the label, or in an object with task and ground_truth")
    extra_info = _parse_object(first("extra_info")) or {}
    try:
        text = extract_text(response)
    except NoResponse as error:
        return make_fault("invalid_item", str(error))
    return parse_item(
        {
            "response": text,
            "ground_truth": str(truth) if type(truth) is int else truth,
            "task": call.task or first("task"),
            "data_source": first("data_source") or (first("task") if call.task else None),
            "extra_info": {key: extra_info[key] for key in ExtraInfo.__struct_fields__ if extra_info.get(key) is not None},
            "group": next((group for source in sources if isinstance(group := source.get("group"), (str, int))), None),
            **fields,
        }
    )


def parse_item(raw: Any) -> Item | Fault:
    """Convert decoded JSON to an item; a Fault says what is not valid."""
    try:
        return msgspec.convert(raw, Item)
    except msgspec.ValidationError as error:
        return make_fault("invalid_item", str(error))


def continue_thought(prompt: Any, response: str) -> str:
    """The response, with the opening of its thought where the chat template has put it into the prompt already."""
    return f"<think>{response}" if isinstance(prompt, str) and prompt.rstrip().endswith("<think>") else response


def _parse_object(value: Any) -> Mapping[str, Any] | None:
    """The value if it is an object, or the JSON text of one."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, Mapping) else None
