"""Extracts the model's answer text from a completion, in any shape that trainers use."""

from collections.abc import Mapping, Sequence
from typing import Any

MODEL_ROLES = ("assistant", "model")
NON_ANSWER_PARTS = frozenset({"reasoning", "redacted_thinking", "refusal", "thinking", "tool_call", "tool_use"})  # by `type`


class NoResponse(ValueError):
    """A completion without a response of the model. Scoring it would give a false 0."""


def extract_text(completion: Any) -> Any:
    """The text of a completion: a string, a message, a chat that ends with the model's message, or a list of content parts.

    Thinking, tool calls and refusals count as "". A value of another type is returned unchanged; item validation names it.
    Raises NoResponse if a chat does not end with the model's message, or if no content part has a known type.
    """
    if isinstance(completion, Mapping):
        return _message_text(completion)
    if isinstance(completion, Sequence) and not isinstance(completion, (str, bytes)):
        if completion and all(isinstance(part, Mapping) and "role" in part for part in completion):
            return extract_text(completion[-1])
        return _join_parts(completion)
    return completion


def _message_text(message: Mapping[str, Any]) -> Any:
    if message.get("role", "model") not in MODEL_ROLES:
        raise NoResponse(f"the last message is of role {message['role']!r}; send one of {' or '.join(MODEL_ROLES)}")
    content = message.get("content")
    if content is not None:
        return extract_text(content)
    return "" if "content" in message or message.get("tool_calls") else message.get("text", message)


def _join_parts(parts: Sequence[Any]) -> str:
    texts = []
    for part in parts:
        if isinstance(part, Mapping) and (part.get("type") in NON_ANSWER_PARTS or part.get("thought")):
            texts.append("")
        elif isinstance(part, Mapping) and "text" in part:
            texts.append(part["text"] if isinstance(part["text"], str) else "")
    if parts and not texts:
        raise NoResponse(f"no part of the content holds text: {parts!r:.200}")
    return "".join(texts)
