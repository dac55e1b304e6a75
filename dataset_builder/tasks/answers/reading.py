"""Reads answers: one function for all tasks, protocols, environments and the evaluator; linear time for any response.

response -- after_thoughts --> what the model says last -- answer_text --> the answer -- read_parts --> its parts
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

MAX_ANSWER_LENGTH = 400
_THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<seed:think>", "</seed:think>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
)
_END_TOKEN = re.compile(
    r"<\|(?!end_of_box)[^|<>\s]+\|>|<｜[^｜<>]+｜>|</s>|\[/?EOS\]|<turn\|>|<(?:eos|eot|pad|unk|end_of_turn|end_of_utterance)>",
    re.IGNORECASE,
)
_TOKEN_LENGTH = 64  # characters of the longest special token
_OPEN, _CLOSE = "<answer>", "</answer>"
_BOXED = "\\boxed{"
_BOX_OPEN, _BOX_CLOSE = "<|begin_of_box|>", "<|end_of_box|>"
_PLAIN = re.compile(r"[0-9]+(?:[.,:-]?[0-9])*")  # as most answers are
_PREFIX = re.compile(r"(?:the )?(?:final )?answer ?(?:is\b|:|=)[ \n]?:?", re.IGNORECASE)
_BULLET = re.compile(r"^[-•] (?=\S)", re.MULTILINE)
_NUMBERED = re.compile(r"[0-9]{1,2}[.)] (?=\S)")
_WRAPPERS = " \t\r\n\"'“”‘’"
_EMPHASIS = str.maketrans("", "", "*_`$")

_TOKEN = re.compile(
    r"(?P<value>\d+(?::[0-5]\d){0,2}(?:\.\d+)?|\.\d+|[^\W\d_]+)|(?P<separator>->|=>|--?|[,;/|~&>→\n])|(?P<link>[:=])| "
)
_SEPARATOR_WORDS = frozenset({"and", "then", "to", "until"})
_LEADING_WORDS = frozenset({"from", "between", "at"})


class Unparseable(ValueError):
    """The response has no answer of the expected form; the message says why."""


def after_thoughts(response: str) -> str:
    """What follows the last closed thought, without the special tokens at its end.

    Raises:
        Unparseable: if a thought is opened and not closed: whatever stands in it is no answer.
    """
    return response[_said(response, _lower(response))].strip()


def _said(response: str, lower: str) -> slice:
    """The part after the thoughts and before the special tokens at the end."""
    start = 0
    if "think" in lower or "thought" in lower or "<reasoning>" in lower or "<|channel" in lower:  # each marker holds one
        start = max(lower.rfind(close) + len(close) if close in lower else 0 for _, close in _THOUGHTS)
        for opening, close in _THOUGHTS:
            if lower.find(opening, start) >= 0:
                raise Unparseable(f"cut off in its thought: {opening} is not followed by {close}")
    end = len(response)
    while end > start and not lower.endswith(_CLOSE, start, end):
        if response[end - 1].isspace():
            end -= 1
            continue
        earliest = max(start, end - _TOKEN_LENGTH)
        token = max(response.rfind("<", earliest, end), response.rfind("[", earliest, end))
        if token < 0 or not _END_TOKEN.fullmatch(response, token, end):
            break
        end = token
    return slice(start, end)


def answer_text(response: str) -> str:
    """The text of the last closed `<answer>…</answer>` or box (`\\boxed{…}`, box tokens), else all that follows the thoughts.

    Digits and dashes are converted to ASCII, runs of white space to one space, empty lines and emphasis removed.

    Raises:
        Unparseable: if the response is cut off in a thought or answer tag, empty, or too long for an answer.
    """
    lower = _lower(response)
    said = _said(response, lower)
    text = response[said]
    marked = _last_marked(text, lower[said])
    if marked is None and _OPEN in lower[said]:
        raise Unparseable("the answer tag is not closed")
    text = (text if marked is None else marked).strip()
    if not text:
        raise Unparseable("the response is empty")
    if len(text) > MAX_ANSWER_LENGTH:
        raise Unparseable(f"{len(text)} characters are no short answer; put it in <answer></answer>")
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = "".join(map(_ascii, text))
    lines = (" ".join(line.split()) for line in text.translate(_EMPHASIS).splitlines())
    return _unwrap("\n".join(filter(None, lines)))


def read_parts(text: str, value: re.Pattern[str], labels: Sequence[str] = (), units: Collection[str] = ()) -> list[str]:
    """Split the text of an answer into its parts, e.g. `3,1,4`, `3 then 1`, `circles: 3 and squares: 1`.

    Args:
        text: as `answer_text` returns it.
        value: what one part looks like.
        labels: names of the parts, in the singular and in order. Labelled parts may come in any order, each once. Parts
            without names that are no numbers may be labelled with their numbers: `1: B, 2: A`.
        units: words that may stand beside a part and mean nothing.

    Raises:
        Unparseable: for anything else in the text, and for separators that separate nothing, as in a list that is cut off.
    """
    return _split_plain(text.lower(), value) or _split_labelled(text, value, labels, units)


def _split_plain(text: str, value: re.Pattern[str]) -> list[str]:
    """The parts of an answer as questions ask for it, which needs no further look; empty if it is written otherwise."""
    for separator in (",", "-"):
        parts = [part.strip(" ") for part in text.split(separator)]
        if all(map(value.fullmatch, parts)):
            return parts
    return []


def _split_labelled(text: str, value: re.Pattern[str], labels: Sequence[str], units: Collection[str]) -> list[str]:
    items: list[tuple[str, str]] = []  # the texts of labels and values, and their kinds
    separators: list[str] = []  # since the last item
    position, touches = 0, False  # whether the last token was a value
    link_allowed = False
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise Unparseable(f"{text[position : position + 20]!r} is not part of an answer")
        position = token.end()
        word = token[0].lower()
        if token["link"]:
            if not link_allowed:
                raise Unparseable(f"{word!r} follows no label")
        elif token["separator"] or word in _SEPARATOR_WORDS:
            separators.append(word)
        elif token["value"] and not (word in _LEADING_WORDS and not items):
            kind = _kind(word, value, labels, units)
            if kind == "value" and not value.fullmatch(word):
                raise Unparseable(f"{word!r} is not part of an answer")
            if (touches and kind == "value") or not _separates(separators, bool(items)):
                raise Unparseable(f"{text!r:.60} is not a list of parts with one separator between two of them")
            if kind == "label" and labels:
                word = word if word in labels else word.removesuffix("s")
            if kind != "unit":
                items.append((kind, word))
            separators.clear()
            link_allowed = kind != "value"
        touches = bool(token["value"])
    if separators or not items:
        raise Unparseable("the answer ends in a separator" if separators else "the answer is empty")
    return _unlabel(items, labels)


def _kind(word: str, value: re.Pattern[str], labels: Sequence[str], units: Collection[str]) -> str:
    if word in labels or word.removesuffix("s") in labels or (not labels and word.isdigit() and not value.fullmatch(word)):
        return "label"
    return "unit" if word in units else "value"


def _separates(separators: Sequence[str], after_item: bool) -> bool:
    """Whether these stand between two items: one separator, or a comma and a word; line breaks do not count."""
    marks = [mark for mark in separators if mark != "\n"]
    if not after_item:
        return not marks
    return len(marks) < 2 or (len(marks) == 2 and marks[0] in ",;" and marks[1] in _SEPARATOR_WORDS)


def _unlabel(items: Sequence[tuple[str, str]], labels: Sequence[str]) -> list[str]:
    kinds = [kind for kind, _ in items]
    if "label" not in kinds:
        return [text for _, text in items]
    labels = labels or [str(number) for number in range(1, len(items) // 2 + 1)]
    first, second = items[::2], items[1::2]
    if kinds[0] == "value":
        first, second = second, first
    named = {label: text for (_, label), (_, text) in zip(first, second, strict=False)}
    is_paired = (
        len(first) == len(second) and {kind for kind, _ in first} == {"label"} and {kind for kind, _ in second} == {"value"}
    )
    if not is_paired or len(named) != len(first) or set(named) != set(labels):
        raise Unparseable(f"not one value for each of {', '.join(labels)}")
    return [named[label] for label in labels]


def _lower(text: str) -> str:
    return text.replace("İ", "I").lower()  # the only letter whose length changes in lower case


def _last_marked(response: str, lower: str) -> str | None:
    """The content of the last `<answer>…</answer>`; of a box if there are no tags, or if it comes later and has a digit."""
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
    """The content of the last box: between box tokens, or in \\boxed{…}, without an inner \\text{…}."""
    at, token = text.rfind(_BOXED), text.rfind(_BOX_OPEN)
    if token > at and (end := text.find(_BOX_CLOSE, token)) >= 0:
        return text[token + len(_BOX_OPEN) : end]
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
    if char in "、،":
        return ","
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain < "\x80" else " " if char.isspace() else char


def _unwrap(text: str) -> str:
    text = text.strip(_WRAPPERS)
    if prefix := _PREFIX.match(text):
        text = text[prefix.end() :].strip(_WRAPPERS)
    text = text.removesuffix(".").removesuffix("。").strip(_WRAPPERS)
    if text[:1] + text[-1:] in ("[]", "()", "{}"):
        text = text[1:-1].strip(_WRAPPERS)
    text = _BULLET.sub("", text)
    lines = text.split("\n")
    is_numbered = len(lines) > 1 and all(map(_NUMBERED.match, lines))
    return "\n".join(_NUMBERED.sub("", line) for line in lines) if is_numbered else text
