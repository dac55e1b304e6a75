"""Extracts the short answer text from a model's response, in linear time for any response."""

from __future__ import annotations

import re
import unicodedata

MAX_ANSWER_LENGTH = 400
_OPEN, _CLOSE = "<answer>", "</answer>"
_BOXED = "\\boxed{"
_PREFIX = re.compile(r"(?:the )?(?:final )?answer ?(?:is\b|:|=) ?:?", re.IGNORECASE)
_WRAPPERS = " \t\r\n*_`\"'$“”‘’"


class Unparseable(ValueError):
    """The response has no answer of the expected form; the message says why."""


def answer_text(response: str) -> str:
    """The text of the last `<answer>…</answer>` or `\\boxed{…}`, else the whole response.

    Digits and dashes are converted to ASCII, and runs of white space to one space.

    Raises:
        Unparseable: if the text is empty, or too long for an answer.
    """
    marked = _last_marked(response)
    text = (response if marked is None else marked).strip()
    if not text:
        raise Unparseable("the response is empty")
    if len(text) > MAX_ANSWER_LENGTH:
        raise Unparseable(f"{len(text)} characters are no short answer; put it in <answer></answer>")
    if not text.isascii():
        text = "".join(map(_ascii, text))
    return _unwrap(" ".join(text.split()))


def _last_marked(response: str) -> str | None:
    """The content of the last `<answer>…</answer>`; of `\\boxed{…}` if there are no tags, or if it comes later and has a digit."""
    lower = response.replace("İ", "I").lower()  # the only letter whose length changes in lower case
    opened = lower.rfind(_OPEN, 0, max(lower.rfind(_CLOSE), 0))
    if opened < 0:
        return _boxed(response)
    start = opened + len(_OPEN)
    end = lower.find(_CLOSE, start)
    answer = response[start:end]
    if len(answer) <= 2 * MAX_ANSWER_LENGTH:
        answer = _boxed(answer) or answer
    later = _boxed(response[end:])
    return later if later is not None and any(map(str.isdecimal, later)) else answer


def _boxed(text: str) -> str | None:
    """The content of the last \\boxed{…}, without an inner \\text{…}."""
    at = text.rfind(_BOXED)
    if at < 0:
        return None
    depth, start = 1, at + len(_BOXED)
    for position in range(start, min(len(text), start + 4 * MAX_ANSWER_LENGTH)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return re.sub(r"^\s*\\(?:text|mathrm|mathbf)\{([^{}]*)\}\s*$", r"\1", text[start:position])
    return None


def _ascii(char: str) -> str:
    if char < "\x80":
        return char
    value = unicodedata.decimal(char, None)
    if value is not None:
        return str(value)
    if unicodedata.category(char) == "Pd" or char == "−":
        return "-"
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain < "\x80" else " " if char.isspace() else char


def _unwrap(text: str) -> str:
    text = text.strip(_WRAPPERS)
    if prefix := _PREFIX.match(text):
        text = text[prefix.end() :].strip(_WRAPPERS)
    text = text.removesuffix(".").removesuffix("。").strip(_WRAPPERS)
    if text[:1] + text[-1:] in ("[]", "()", "{}"):
        text = text[1:-1].strip(_WRAPPERS)
    return text
