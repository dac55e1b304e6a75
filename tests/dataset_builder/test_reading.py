"""The reading of answers: the same forms for every registered task, thoughts, special tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from dataset_builder import tasks
from dataset_builder.tasks.answers import Interval, Unparseable
from dataset_builder.tasks.answers.reading import after_thoughts, answer_text

Write = Callable[[list[str], list[str]], str]  # parts and labels to a response


def each(template: str, glue: str) -> Write:
    return lambda parts, labels: glue.join(template.format(part=p, label=n) for p, n in zip(parts, labels, strict=True))


def joined(glue: str) -> Write:
    return each("{part}", glue)


def around(template: str) -> Write:
    return lambda parts, labels: template.format(",".join(parts))


READ: dict[str, Write] = {
    **{f"separated by {glue!r}": joined(glue) for glue in (",", ", ", " , ", ";", "; ", " ", "/", " / ", "|", "\n", ",\n", "\n\n")},
    **{f"separated by {glue!r}": joined(glue) for glue in ("-", " - ", "--", "–", " — ", "~", " & ", "，", "、", "،", "；")},
    **{f"separated by {glue!r}": joined(glue) for glue in (" and ", ", and ", " then ", ", then ", " to ", " until ")},
    **{f"separated by {glue!r}": joined(glue) for glue in ("->", " -> ", " → ", " => ", " > ")},
    "the last after and": lambda parts, _: ", ".join(parts[:-1]) + " and " + parts[-1],
    **{f"in {text}": around(text) for text in ("[{}]", "({})", "{{{}}}", "`{}`", '"{}"', "'{}'", "“{}”", "${}$", "**{}**", "_{}_", "***{}***")},
    **{f"in {text!r}": around(text) for text in ("```\n{}\n```", "{}.", "{}。", " {}\n", "from {}", "between {}")},
    **{f"in {text!r}": around(text) for text in ("Answer: {}", "The answer is {}.", "**Final answer:** {}", "answer = {}", "Answer:\n{}", "The final answer is: {}.")},
    **{f"in {text!r}": around(text) for text in ("<answer>{}</answer>", "so <ANSWER>\n{}\n</ANSWER> it is", "\\boxed{{{}}}", "$\\boxed{{\\text{{{}}}}}$")},
    **{f"in {text!r}": around(text) for text in ("<|begin_of_box|>{}<|end_of_box|>", "<answer>\\boxed{{{}}}</answer>", "<answer><|begin_of_box|>{}<|end_of_box|></answer>")},
    "labels with colons on one line": each("{label}: {part}", ", "),
    "labels one a line": each("{label}: {part}", "\n"),
    "labels in bullets": each("- {label}: {part}", "\n"),
    "labels in bullets with bold": each("* **{label}**: {part}", "\n"),
    "bold labels": each("**{label}:** {part}", ", "),
    "labels without separators": each("{label}: {part}", " "),
    "labels with equals signs": each("{label} = {part}", "; "),
    "labels in capitals": lambda parts, labels: each("{label}: {part}", ", ")(parts, [label.upper() for label in labels]),
    "labels before": each("{label} {part}", " and "),
    "labels behind": each("{part} {label}", ", "),
    "full-width digits": lambda parts, _: ",".join(parts).translate({ord(str(k)): 0xFF10 + k for k in range(10)}),
    "Arabic digits": lambda parts, _: ",".join(parts).translate({ord(str(k)): 0x660 + k for k in range(10)}),
}  # fmt: skip

REFUSED: dict[str, Write] = {
    "prose": around("I think that it is {}"),
    "prose behind": around("{}, as far as I can see"),
    "a hedge": around("perhaps {}"),
    "about": around("~{}"),
    "a comment": around("{} (not sure)"),
    "JSON": around('{{"answer": "{}"}}'),
    "a list of texts": each('"{part}"', ","),
    "a list that is cut off": around("{},"),
    "a list that begins with a separator": around(", {}"),
    "empty parts": joined(",,"),
    "two separators": joined(", -> "),
    "or": joined(" or "),
    "negative numbers": joined(",-"),
    "a tag that is not closed": around("<answer>{}"),
    "nested brackets": around("[[{}]]"),
    "a link without a label": joined(": "),
    "unknown labels": each("whatever: {part}", ", "),
    "decimal commas": around("{},5,5,5"),
    "guesses on two lines": lambda parts, _: f"{','.join(parts)}\n{','.join(parts)}",
}


SEVERAL = {
    "the last after and",
    "a list of texts",
    "empty parts",
    "two separators",
    "or",
    "negative numbers",
    "a link without a label",
}
"""Forms that need two parts."""


def parts_of(name: str) -> tuple[str, list[str], list[str]]:
    """A truth of a task, its parts, and a label for each."""
    task = tasks.get(name)
    answer = task.blind(task.params("medium"), tuple(map(float, range(48))), 48.0)
    labels = list(task.answer.labels)
    parts = answer.parts()
    return answer.ground_truth(), parts, labels or [min(task.answer.units, default="")] * len(parts)


@pytest.mark.parametrize("form", READ)
def test_every_task_reads_it(form: str) -> None:
    for name in tasks.names():
        truth, parts, labels = parts_of(name)
        if len(parts) == 1 and form in SEVERAL:
            continue
        response = READ[form](parts, labels)
        score = tasks.get(name).score(response, truth)
        assert score.score == 1, f"{name}: {response!r}: {score.reason}"


@pytest.mark.parametrize("form", REFUSED)
def test_every_task_refuses_it(form: str) -> None:
    for name in tasks.names():
        truth, parts, labels = parts_of(name)
        if len(parts) == 1 and form in SEVERAL:
            continue
        response = REFUSED[form](parts, labels)
        score = tasks.get(name).score(response, truth)
        assert (score.score, score.parsed) == (0, ""), f"{name}: {response!r}"


def test_a_refused_form_has_one_reason() -> None:
    for form in ("prose", "a hedge", "JSON", "a list that is cut off", "or", "a tag that is not closed", "unknown labels"):
        reasons = set()
        for name in tasks.names():
            truth, parts, labels = parts_of(name)
            if len(parts) == 1 and form in SEVERAL:
                continue
            reason = tasks.get(name).score(REFUSED[form](parts, labels), truth).reason
            reasons.add(reason.partition(" is not ")[2] if " is not " in reason else reason)
        assert len(reasons) == 1, reasons


@pytest.mark.parametrize(
    ("response", "reading"),
    [
        ("<think>maybe <answer>1-2</answer></think>3-4", "3-4"),
        ("<think>1-2</think><answer>3-4</answer>", "3-4"),
        ("the template opened it: 1-2</think>\n\n3-4", "3-4"),
        ("<think>a</think> <answer>1-2</answer> <think>b</think> 3-4", "3-4"),
        ("<think>a<think>b</think>3-4", "3-4"),
        ("<THINKING>a</THINKING>3-4", "3-4"),
        ("[THINK]a[/THINK]3-4", "3-4"),
        ("◁think▷a◁/think▷3-4", "3-4"),
        ("<|channel|>analysis<|message|>1-2<|end|><|start|>assistant<|channel|>final<|message|>3-4<|return|>", "3-4"),
        ("I was thinking of a thought channel. <answer>3-4</answer>", "3-4"),
    ],
)
def test_the_answer_follows_the_last_closed_thought(response: str, reading: str) -> None:
    assert answer_text(response) == reading


@pytest.mark.parametrize(
    "response",
    [
        "<think>it is <answer>3-4</answer>",
        "<think>a</think> <answer>3-4</answer> <think>wait",
        "[THINK]<answer>3-4</answer>",
        "<|channel|>analysis<|message|>\\boxed{3-4}",
        "<thinking>3-4</think",
    ],
)
def test_a_thought_that_is_cut_off_holds_no_answer(response: str) -> None:
    with pytest.raises(Unparseable, match="cut off in its thought"):
        answer_text(response)


TOKENS = (
    "<|im_end|>", "</s>", "<end_of_utterance>", "<｜end▁of▁sentence｜>", "<|endoftext|>", "<|return|>", "<eos>", "<|eot_id|>",
    "<|im_end|>\n<|endoftext|>", " <pad><pad><pad>", "</s>" * 90, "<|some_token_of_tomorrow|>",
)  # fmt: skip


@pytest.mark.parametrize("token", TOKENS, ids=range(len(TOKENS)))
@pytest.mark.parametrize("name", tasks.names())
def test_special_tokens_at_the_end_are_taken_off(name: str, token: str) -> None:
    truth, parts, _ = parts_of(name)
    gold = ",".join(parts)
    for text in (gold, f"<think>a</think>{gold}", f"<|begin_of_box|>{gold}<|end_of_box|>", f"<answer>{gold}</answer>"):
        assert tasks.get(name).score(text + token, truth).score == 1


def test_special_tokens_elsewhere_are_no_answer() -> None:
    assert tasks.get("counting").score("3,1,<|im_end|>4", "3,1,4").parsed == ""


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:01:26", 86), ("1:26.5", 86.5), ("1:02:03.25", 3723.25), ("26.2 s", 26.2), ("26.2 seconds", 26.2)]
)
def test_times(text: str, seconds: float) -> None:
    assert Interval.parse(f"0 - {text}") == Interval(0, seconds)
    assert Interval.parse(f"end: {text}, start: 0:00") == Interval(0, seconds)


@pytest.mark.parametrize("text", ["1:75", "1:5", "1:2:3", "1.2.3", "1:26:", "١٤:٠٠:٠٠:٠٠"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Unparseable):
        Interval.parse(f"0 - {text}")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("<answer>3,1,4", "the answer tag is not closed"),
        ("<think>3,1,4", "cut off in its thought"),
        ("", "the response is empty"),
        ("<think>a</think>", "the response is empty"),
        ("3,1,4,", "ends in a separator"),
        ("3 circles, 1 square", "not one value for each of circle, square, triangle"),
        ("3 circles, 1 circle, 4 triangles", "not one value for each"),
        ("maybe 3,1,4", "'maybe' is not part of an answer"),
        ("x" * 401, "no short answer"),
    ],
)
def test_reasons_say_what_is_wrong(response: str, reason: str) -> None:
    assert reason in tasks.get("counting").score(response, "3,1,4").reason


def test_thoughts_are_read_in_linear_time() -> None:
    for text in ("<think>" * 100_000, "</think>" * 100_000, "<think></think>" * 50_000, "<|a|>" * 100_000, "<" * 1_000_000):
        with contextlib.suppress(Unparseable):
            after_thoughts(text)
