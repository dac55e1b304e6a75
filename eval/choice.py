"""Option letters: from a response to the one option that it chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dataset_builder.tasks.parsing import Unparseable, answer_text

_OPTION = re.compile(r"(?:^|\n|\s{2,})\s*\(?([A-Z])[.):：]\s*(.+?)(?=(?:\n|\s{2,})\s*\(?[A-Z][.):：]\s|\s*$)", re.DOTALL)
_LETTER = re.compile(r"\(?([A-Za-z])[.):,]?\)?")
_WITH_TEXT = re.compile(r"\(?([A-Z])[.):]\s*(.+)", re.DOTALL)
_OTHER = re.compile(r"\b[A-Z][.):]\s")
_SAID = re.compile(r"(?:answer|option|choice)(?:\s+is)?\s*[:=]?\s*\(?\b([A-Z])\b(?!')", re.IGNORECASE)


def options_of(question: str) -> dict[str, str]:
    """The options that a question lists, by letter: `A. …`, `(A) …`, `A) …` or `A: …`, from A on, one a line.

    Empty where it lists none.
    """
    found = {letter: text.strip() for letter, text in _OPTION.findall(question)}
    wanted = [chr(ord("A") + at) for at in range(len(found))]
    return found if sorted(found) == wanted and len(found) > 1 else {}


def lettered(texts: Sequence[str]) -> dict[str, str]:
    """Options by letter, from their texts, which may begin with their letters."""
    letters = [chr(ord("A") + at) for at in range(len(texts))]
    bare = [re.sub(rf"^\s*\(?{letter}[.):]\s+", "", text) for letter, text in zip(letters, texts, strict=True)]
    kept = bare if all(one != text for one, text in zip(bare, texts, strict=True)) else texts
    return dict(zip(letters, kept, strict=True))


def parse_choice(response: str, options: Mapping[str, str]) -> str:
    """The letter of the one option that a response chooses.

    It may stand alone (`C`, `(C)`, `C.`), with its text (`C. a dog`), in a phrase (`The answer is C`), or the text may stand for
    it. The last `<answer>…</answer>` or `\\boxed{…}` is read, else the whole response.

    Args:
        options: texts by letter; empty allows any letter.

    Raises:
        Unparseable: if it chooses none, several, or one that there is not.
    """
    text = _short(response)
    if match := _LETTER.fullmatch(text):
        return _allowed(match[1].upper(), options)
    if match := _WITH_TEXT.fullmatch(text):
        if not _fits(match[2], options.get(match[1])):
            raise Unparseable("chooses several options")
        return _allowed(match[1], options)
    by_text = [letter for letter, option in options.items() if _same(option, text)]
    if len(by_text) == 1:
        return by_text[0]
    said = {letter.upper() for letter in _SAID.findall(text)}
    if len(said) == 1:
        return _allowed(said.pop(), options)
    if len(said) > 1:
        raise Unparseable(f"chooses several options: {', '.join(sorted(said))}")
    raise Unparseable("chooses no option")


def _short(response: str) -> str:
    try:
        return answer_text(response)
    except Unparseable:
        if not response.strip():
            raise
        return response.strip()[-2000:]  # reasoning that ends in its answer


def _allowed(letter: str, options: Mapping[str, str]) -> str:
    if options and letter not in options:
        raise Unparseable(f"there is no option {letter}; there are {', '.join(options)}")
    return letter


def _fits(text: str, option: str | None) -> bool:
    """Whether what follows a letter is its option's text, or at least names no other."""
    return (option is not None and _same(option, text)) or not (_OTHER.search(text) or _SAID.search(text))


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other) != ""


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())
