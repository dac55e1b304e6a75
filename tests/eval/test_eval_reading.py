"""Option letters, found where models put them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.tasks.answers.reading import Unparseable
from eval.reading import parse_choice, parse_options

QUESTION = "What does she pick up?\nA. A red cup\nB. The dog\nC. A book: blue\nD. Nothing"
OPTIONS = {"A": "A red cup", "B": "The dog", "C": "A book: blue", "D": "Nothing"}


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        QUESTION.replace(". ", ") "),
        "What does she pick up?\n(A) A red cup\n(B) The dog\n(C) A book: blue\n(D) Nothing",
        "What does she pick up? A. A red cup B. The dog C. A book: blue D. Nothing",
        "What is Plan A. again?\nA. A red cup\nB. The dog\nC. A book: blue\nD. Nothing",
        "What does she pick up?\nOptions:\nA: A red cup\nB: The dog\nC: A book: blue\nD: Nothing\n",
    ],
)
def test_options_are_read_from_questions(question: str) -> None:
    assert parse_options(question) == OPTIONS


@pytest.mark.parametrize("question", ["How many? Plan A. is good", "no options here", "A. only one", "A. one\nC. three"])
def test_other_texts_list_no_options(question: str) -> None:
    assert parse_options(question) == {}


@pytest.mark.parametrize(
    "response",
    [
        "C", "c", "(C)", "C.", "C)", " **C** ", "<answer>C</answer>", "\\boxed{C}", "C. A book: blue", "(C) a book, blue", "A book: blue.",
        "The answer is C", "The correct option is (C).", "Answer: C", "I think it is A at first. <answer>C</answer>",
        "The correct answer is **C**.", "So the answer is `C`.", "C, because she turns to it", "C\n\nExplanation: she turns to it.", "<think>A?</think>C",
        "<think>Option A? The answer is A.</think>\n\nC", "She turns to the shelf.\n\n(C)", "The final answer is: option C", "Final choice: (C)",
        "She first looks at the dog. Then she takes a book. So the answer is C.", "Ｃ",
    ],
)  # fmt: skip
def test_answers_are_understood(response: str) -> None:
    assert parse_choice(response, OPTIONS) == "C"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("", "empty"),
        ("A dog or a cup", "chooses no option"),  # its first character is a letter, and no answer
        ("Based on the video, I cannot tell.", "chooses no option"),
        ("A or C", "chooses no option"),
        ("The answer is A. No, the answer is C", "several"),
        ("I think the answer is a cat", "chooses no option"),
        ("The best choice is a little unclear", "chooses no option"),
        ("Option A is incorrect. So I would go with something else.", "chooses no option"),
        ("not option A but B", "chooses no option"),
        ("<think>it is C</think>", "empty"),
        ("E", "there is no option E"),
        ("A, B, C, D", "several"),
        ("A. A red cup B. The dog", "several"),
    ],
)
def test_what_chooses_nothing_is_no_answer(response: str, message: str) -> None:
    with pytest.raises(Unparseable, match=message):
        parse_choice(response, OPTIONS)


@given(st.text(max_size=200))
def test_any_text_gives_an_option_or_none(response: str) -> None:
    with contextlib.suppress(Unparseable):
        assert parse_choice(response, OPTIONS) in OPTIONS


@given(
    st.lists(st.from_regex(r"[a-z]{3,12}( [a-z]{3,12}){0,3}", fullmatch=True), min_size=2, max_size=6, unique=True), st.data()
)
def test_letters_and_texts_mean_the_same(texts: list[str], data: st.DataObject) -> None:
    options = {chr(ord("A") + at): text for at, text in enumerate(texts)}
    letter = data.draw(st.sampled_from(sorted(options)))
    question = "\n".join(["Which?", *(f"{name}. {text}" for name, text in options.items())])
    assert parse_options(question) == options
    for response in (letter, f"{letter}. {options[letter]}", options[letter].capitalize(), f"<answer>({letter})</answer>"):
        assert parse_choice(response, options) == letter
