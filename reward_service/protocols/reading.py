"""What foreign formats have in common: where a response's text stands, and where task and truth stand in a label or a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..items import ExtraInfo, Fault, Item, fault
from .base import Call

MODEL = ("assistant", "model")
SILENT = ("refusal", "reasoning", "thinking", "tool_use", "toolUse")  # types of parts that are no answer
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


class NoResponse(ValueError):
    """A completion of a shape that holds no response; scored, it would be a false 0."""


def text_of(completion: Any) -> Any:
    """The text of a completion: a string, a message, a chat that ends with the model's message, or a list of content parts.

    What is none of these comes back as it is, for the item's type check to name.

    Raises:
        NoResponse: if a chat ends with somebody else's message, which may show an answer that is not the model's; or if no
            part of a content is known.
    """
    if isinstance(completion, Mapping):
        if completion.get("role", "model") not in MODEL:
            raise NoResponse(f"the last message is of role {completion['role']!r}; send one of {' or '.join(MODEL)}")
        if "content" not in completion:
            return completion.get("text", completion)
        return "" if completion["content"] is None else text_of(completion["content"])  # None: tool calls alone
    if isinstance(completion, Sequence) and not isinstance(completion, str):
        if completion and all(isinstance(part, Mapping) and "role" in part for part in completion):
            return text_of(completion[-1])
        return _joined(completion)
    return completion


def _joined(parts: Sequence[Any]) -> str:
    """The text of content parts, without the model's thoughts."""
    known = [part for part in parts if isinstance(part, Mapping) and ("text" in part or part.get("type") in SILENT)]
    if parts and not known:
        raise NoResponse(f"no part of the content holds a text: {parts!r:.200}")
    spoken = (part for part in known if part.get("type") not in SILENT and not part.get("thought"))
    return "".join(part["text"] for part in spoken if isinstance(part["text"], str))


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
