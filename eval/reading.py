"""Reads answers as models word them: option letters, and times anywhere in a sentence. Rewards read strictly instead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.interval import to_seconds
from dataset_builder.tasks.answers.reading import Unparseable, after_thoughts, answer_text

_LINE_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[.):：][ \t]+", re.MULTILINE)
_INLINE_OPTION = re.compile(r"(?:^|(?<=\s))\(?([A-Z])[.):：]\s+")
_LETTER = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice) )?\(?([A-Za-z])[.):,]?\)?")
_LETTER_AND_TEXT = re.compile(r"\(?([A-Z])(?:[.):]\)?|,)\s*(\S.*)", re.DOTALL)
_OPTION_MARK = re.compile(r"\b[A-Z][.):]\s")
_ANSWER_PHRASE = re.compile(
    r"\b(?:answer|option|choice)\s*(?:is\b\s*:?|:|=|\()\s*(?:(?:option|choice)\s*)?\(?([A-Z])\b(?!['’])", re.IGNORECASE
)

_TIME = r"(?:\d+:)?\d{1,2}:[0-5]\d(?:\.\d+)?|\d+(?:\.\d+)?"
_UNIT = r"(?P<unit{}>\s*(?:s|secs?|seconds?)\b)?"
_INTERVAL = re.compile(
    rf"(?<![\d.:])(?<!\d[-,])(?<!\d[-,] )({_TIME}){_UNIT.format(1)}[\s\"']*(?:--?|[~,;]|to\b|and\b|until\b|till\b|through\b)[\s\"']*(?:and )?"
    rf"(?:(?:it |the event |then )?(?:end(?:s|ing|ed)?|finish(?:es)?)(?:[ _]time)?\b[\s\"':=]*(?:(?:is|at)\b)?\s*)?(?:at )?"
    rf"({_TIME})(?![\d:]|\.\d|\s*[-,]\s*\d){_UNIT.format(2)}",
    re.IGNORECASE,
)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−～", "-"))


def find_interval(response: str) -> Interval:
    """The one interval that a response names, wherever it stands; ends in the wrong order are swapped.

    Several intervals are no answer, except that those with a unit take precedence: questions may hold numbers too.

    Raises:
        Unparseable: if the response names none or several.
    """
    found = intervals(_answer_part(response))
    candidates = {interval for interval, has_unit in found if has_unit} or {interval for interval, _ in found}
    if len(candidates) == 1:
        return candidates.pop()
    raise Unparseable(f"{len(candidates) or 'no'} intervals of time, 1 wanted")


def intervals(text: str) -> list[tuple[Interval, bool]]:
    """The intervals in a text, in order, and whether each has a unit."""
    found = []
    for match in _INTERVAL.finditer(text.translate(_DASHES)):
        start, end = sorted((to_seconds(match[1]), to_seconds(match[3])))
        if end > start:
            found.append((Interval(start, end), bool(match["unit1"] or match["unit2"])))
    return found


def parse_options(question: str) -> dict[str, str]:
    """The options listed in a question, by letter; empty if it lists none.

    Options start at A and look like `A. …`, `(A) …`, `A) …` or `A: …`, one per line or all on one line.
    """
    return _find_options(question, _LINE_OPTION) or _find_options(question, _INLINE_OPTION)


def _find_options(question: str, pattern: re.Pattern[str]) -> dict[str, str]:
    marks = list(pattern.finditer(question))
    for first in reversed([index for index, mark in enumerate(marks) if mark[1] == "A"]):
        letters = [mark[1] for mark in marks[first:]]
        if len(letters) > 1 and letters == _alphabet(len(letters)):
            ends = [mark.start() for mark in marks[first + 1 :]] + [len(question)]
            return {mark[1]: question[mark.end() : end].strip() for mark, end in zip(marks[first:], ends, strict=True)}
    return {}


def _alphabet(count: int) -> list[str]:
    return [chr(ord("A") + index) for index in range(count)]


def letter_options(texts: Sequence[str]) -> dict[str, str]:
    """Option texts by letter, from A. If every text begins with its own letter ("A. a dog"), that letter is removed."""
    letters = _alphabet(len(texts))
    stripped = [re.sub(rf"^\s*\(?{letter}[.):]\s+", "", text) for letter, text in zip(letters, texts, strict=True)]
    all_had_letters = all(short != text for short, text in zip(stripped, texts, strict=True))
    return dict(zip(letters, stripped if all_had_letters else texts, strict=True))


def parse_choice(response: str, options: Mapping[str, str]) -> str:
    """The letter of the one option that a response chooses.

    Accepted: the letter alone (`C`, `(C)`, `C.`), with its text (`C. a dog`), in a phrase (`The answer is C`), alone on the first
    or last line, or the option's text without a letter. Thoughts are ignored. Of the rest, the last
    `<answer>…</answer>` or `\\boxed{…}` is read; without one, everything is.

    Args:
        options: texts by letter; empty allows any letter.

    Raises:
        Unparseable: if the response chooses no option, several, or one that is not in `options`.
    """
    text = _answer_part(response)
    if match := _LETTER.fullmatch(text):
        return _check_letter(match[1].upper(), options)
    by_text = [letter for letter, option in options.items() if _same_text(option, text)]
    if len(by_text) == 1:
        return by_text[0]
    if match := _LETTER_AND_TEXT.fullmatch(text):
        if not _text_fits_option(match[2], options.get(match[1])):
            raise Unparseable("chooses several options")
        return _check_letter(match[1], options)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    line_letters = {match[1] for line in (lines[0], lines[-1]) if (match := _LETTER.fullmatch(line)) and match[1].isupper()}
    letters = line_letters | {letter for letter in _ANSWER_PHRASE.findall(text) if letter.isupper()}
    if len(letters) == 1:
        return _check_letter(letters.pop(), options)
    if len(letters) > 1:
        raise Unparseable(f"chooses several options: {', '.join(sorted(letters))}")
    raise Unparseable("chooses no option")


def _answer_part(response: str) -> str:
    """The part of a response to parse, without Markdown emphasis. Line breaks stay unless the answer is tagged."""
    text = after_thoughts(response)
    if not text:
        raise Unparseable("the response is empty")
    tagged = "</answer>" in text.lower() or "\\boxed{" in text
    answer = answer_text(text) if tagged or ("\n" not in text and len(text) <= 200) else text[-2000:]
    return re.sub(r"[*`_]+", "", answer).strip()


def _check_letter(letter: str, options: Mapping[str, str]) -> str:
    if options and letter not in options:
        raise Unparseable(f"there is no option {letter}; there are {', '.join(options)}")
    return letter


def _text_fits_option(text: str, option: str | None) -> bool:
    """Whether the text after a letter is that option's text, or at least names no other option."""
    if option is not None and _same_text(option, text):
        return True
    return not (_OPTION_MARK.search(text) or _ANSWER_PHRASE.search(text) or _has_lone_letter(text))


def _has_lone_letter(text: str) -> bool:
    return any(
        _LETTER.fullmatch(word) and word.strip("().,:") != "I" and word.strip("().,:").isupper() for word in text.split()
    )


def _same_text(first: str, second: str) -> bool:
    return _normalize(first) == _normalize(second) != ""


def _normalize(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())
