"""Where the model's own words stand in a completion, in whatever shape trainers and vendors hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MODEL = ("assistant", "model")
# parts of a content that are no answer, by their type or by the key that stands for it
SILENT = frozenset(
    {
        "functionCall", "reasoning", "reasoningContent", "redacted_thinking", "refusal", "thinking", "toolUse", "tool_call",
        "tool_use",
    }
)  # fmt: skip


class NoResponse(ValueError):
    """A completion of a shape that holds no response; scored, it would be a false 0."""


def text_of(completion: Any) -> Any:
    """The text of a completion: a string, a message, a chat that ends with the model's message, or a list of content parts.

    A model that only thought, called tools or refused has said nothing, "". What is none of these shapes comes back as it is,
    for its type to be named.

    Raises:
        NoResponse: if a chat ends with somebody else's message, which may show an answer that is not the model's; or if no
            part of a content is known.
    """
    if isinstance(completion, Mapping):
        return _of_message(completion)
    if isinstance(completion, Sequence) and not isinstance(completion, (str, bytes)):
        if completion and all(isinstance(part, Mapping) and "role" in part for part in completion):
            return text_of(completion[-1])
        return _joined(completion)
    return completion


def _of_message(message: Mapping[str, Any]) -> Any:
    if message.get("role", "model") not in MODEL:
        raise NoResponse(f"the last message is of role {message['role']!r}; send one of {' or '.join(MODEL)}")
    content = message.get("content", message.get("parts"))
    if content is not None:
        return text_of(content)
    if "content" in message or message.get("tool_calls"):
        return ""
    return message.get("text", message)


def _joined(parts: Sequence[Any]) -> str:
    known = [part for part in parts if isinstance(part, Mapping) and ("text" in part or _is_silent(part))]
    if parts and not known:
        raise NoResponse(f"no part of the content holds a text: {parts!r:.200}")
    spoken = (part["text"] for part in known if not _is_silent(part))
    return "".join(text for text in spoken if isinstance(text, str))


def _is_silent(part: Mapping[str, Any]) -> bool:
    return part.get("type") in SILENT or bool(part.get("thought")) or not SILENT.isdisjoint(part)
