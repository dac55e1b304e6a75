"""Option letters: from a response to the one option that it chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dataset_builder.tasks.answers.reading import Unparseable, answer_text

_ON_A_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):：][ \t]+", re.MULTILINE)
_ANYWHERE = re.compile(r"(?:^|(?<=\s))\(?([A-Z])[.):：]\s+")
_LETTER = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice) )?\(?([A-Za-z])[.):,]?\)?")
_WITH_TEXT = re.compile(r"\(?([A-Z])(?:[.):]\)?|,)\s*(\S.*)", re.DOTALL)
_OTHER = re.compile(r"\b[A-Z][.):]\s")
_SAID = re.compile(
    r"\b(?:answer|option|choice)\s*(?:is\b\s*:?|:|=|\()\s*(?:(?:option|choice)\s*)?\(?([A-Z])\b(?!['’])", re.IGNORECASE
)
_THOUGHT = "</think>"


def options_of(question: str) -> dict[str, str]:
    """The options that a question lists, by letter: `A. …`, `(A) …`, `A) …` or `A: …`, from A on, each on a line or all in one.

    Empty where it lists none.
    """
    return _run(question, _ON_A_LINE) or _run(question, _ANYWHERE)


def _run(question: str, mark: re.Pattern[str]) -> dict[str, str]:
    marks = list(mark.finditer(question))
    for first in reversed([at for at, found in enumerate(marks) if found[1] == "A"]):
        letters = [found[1] for found in marks[first:]]
        wanted = [chr(ord("A") + at) for at in range(len(letters))]
        if letters == wanted and len(letters) > 1:
            ends = [found.start() for found in marks[first + 1 :]] + [len(question)]
            return {found[1]: question[found.end() : end].strip() for found, end in zip(marks[first:], ends, strict=True)}
    return {}


def lettered(texts: Sequence[str]) -> dict[str, str]:
    """Options by letter, from their texts, which may begin with their letters."""
    letters = [chr(ord("A") + at) for at in range(len(texts))]
    bare = [re.sub(rf"^\s*\(?{letter}[.):]\s+", "", text) for letter, text in zip(letters, texts, strict=True)]
    kept = bare if all(one != text for one, text in zip(bare, texts, strict=True)) else texts
    return dict(zip(letters, kept, strict=True))


def parse_choice(response: str, options: Mapping[str, str]) -> str:
    """The letter of the one option that a response chooses.

    It may stand alone (`C`, `(C)`, `C.`), with its text (`C. a dog`), in a phrase (`The answer is C`), alone on the first or last
    line, or the text may stand for it. What is thought before `</think>` is left out; of the rest the last `<answer>…</answer>` or
    `\\boxed{…}` is read, else all.

    Args:
        options: texts by letter; empty allows any letter.

    Raises:
        Unparseable: if it chooses none, several, or one that there is not.
    """
    text = _short(response)
    if match := _LETTER.fullmatch(text):
        return _allowed(match[1].upper(), options)
    by_text = [letter for letter, option in options.items() if _same(option, text)]
    if len(by_text) == 1:
        return by_text[0]
    if match := _WITH_TEXT.fullmatch(text):
        if not _fits(match[2], options.get(match[1])):
            raise Unparseable("chooses several options")
        return _allowed(match[1], options)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    alone = {match[1] for line in (lines[0], lines[-1]) if (match := _LETTER.fullmatch(line)) and match[1].isupper()}
    said = alone | {letter for letter in _SAID.findall(text) if letter.isupper()}
    if len(said) == 1:
        return _allowed(said.pop(), options)
    if len(said) > 1:
        raise Unparseable(f"chooses several options: {', '.join(sorted(said))}")
    raise Unparseable("chooses no option")


def _short(response: str) -> str:
    """What is to be read, its marks of emphasis taken off; line breaks stay where nothing marks the answer."""
    said = response.rpartition(_THOUGHT)[2].strip()
    if not said:
        raise Unparseable("the response is empty")
    marked = "</answer>" in said.lower() or "\\boxed{" in said
    text = answer_text(said) if marked or ("\n" not in said and len(said) <= 200) else said[-2000:]
    return re.sub(r"[*`_]+", "", text).strip()


def _allowed(letter: str, options: Mapping[str, str]) -> str:
    if options and letter not in options:
        raise Unparseable(f"there is no option {letter}; there are {', '.join(options)}")
    return letter


def _fits(text: str, option: str | None) -> bool:
    """Whether what follows a letter is its option's text, or at least names no other."""
    return (option is not None and _same(option, text)) or not (_OTHER.search(text) or _SAID.search(text) or _lone_letter(text))


def _lone_letter(text: str) -> bool:
    return any(
        _LETTER.fullmatch(word) and word.strip("().,:") != "I" and word.strip("().,:").isupper() for word in text.split()
    )


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other) != ""


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())
