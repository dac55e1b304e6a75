from __future__ import annotations

import random
import re
import signal
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder import tasks
from dataset_builder.tasks import shells
from dataset_builder.tasks.answers import Answer, Counts, Instants, Interval, Labels, Number, Order
from dataset_builder.tasks.answers.reading import Unparseable, _last_marked, _lower
from dataset_builder.tasks.counting import ShapeCounts
from dataset_builder.tasks.motion import Directions

intervals = st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)).map(lambda p: Interval(p[0] / 100, (p[0] + p[1]) / 100))
counts = st.tuples(*[st.integers(0, 60)] * 3).map(ShapeCounts)
orders = st.integers(2, 30).flatmap(lambda n: st.permutations(range(1, n + 1))).map(lambda p: Order(tuple(p)))
labels = st.lists(st.sampled_from("ABCDEFGH"), min_size=2, max_size=8).map(lambda letters: Labels(tuple(letters)))
numbers = st.integers(0, 10**6).map(Number)
instants = st.sets(st.integers(0, 10**6), min_size=1, max_size=8).map(
    lambda times: Instants(tuple(time / 100 for time in sorted(times)), 0.5, 2.0)
)
sequences = st.lists(st.sampled_from(Directions.symbols), min_size=1, max_size=9).map(lambda words: Directions(tuple(words)))
answers = st.one_of(intervals, counts, orders, labels, numbers, instants, sequences)


@given(answers)
def test_text_and_value_are_one(answer: Answer) -> None:
    text = answer.format()
    for response in (
        text,
        f"  {text}\n",
        f"Let me see: 1-2 or 3,1,4?\n<answer> {text} </answer> done",
        f"so \\boxed{{{text}}}.",
        f"**{text}**",
    ):
        assert type(answer).parse(response) == answer


@given(answers)
def test_the_right_answer_scores_one(answer: Answer) -> None:
    smooth, exact, _ = answer.score(answer)
    assert (smooth, exact) == (1.0, 1.0)
    truth = type(answer).read_truth(answer.ground_truth())
    assert answer.score(truth)[:2] == (1.0, 1.0)


@given(st.one_of(*(st.tuples(kind, kind) for kind in (intervals, counts, labels, numbers, instants, sequences))))
def test_scores_lie_between_zero_and_one(pair: tuple[Answer, Answer]) -> None:
    try:
        smooth, exact, reason = pair[0].score(pair[1])
    except Unparseable:  # another number of letters, or far too many words
        return
    assert 0 <= smooth <= 1
    assert 0 <= exact <= 1
    assert reason


@given(st.integers(2, 12).flatmap(lambda n: st.tuples(*[st.permutations(range(1, n + 1))] * 2)))
def test_order_scores(pair: tuple[list[int], list[int]]) -> None:
    one, other = (Order(tuple(items)) for items in pair)
    smooth, exact, _ = one.score(other)
    assert 0 <= smooth <= 1
    assert (exact == 1) == (one == other) == (smooth == 1)
    assert smooth == pytest.approx(other.score(one)[0])


@pytest.mark.parametrize(
    ("guess", "truth", "smooth", "exact"),
    [
        (Interval(0, 10), Interval(5, 15), 1 / 3, 0),
        (Interval(0, 10), Interval(0, 20), 0.5, 1),
        (Interval(0, 1), Interval(2, 3), 0, 0),
        (ShapeCounts((3, 1, 5)), ShapeCounts((3, 1, 4)), (1 + 1 + 0.75) / 3, 2 / 3),
        (ShapeCounts((0, 0, 9)), ShapeCounts((0, 2, 3)), (1 + 0 + 0) / 3, 1 / 3),
        (Order((1, 2, 3, 4)), Order((4, 3, 2, 1)), 0, 0),
        (Order((2, 1, 3, 4)), Order((1, 2, 3, 4)), 1 - 2 / 8, 0),
        (Labels(("B", "A", "D")), Labels(("B", "C", "D")), 2 / 3, 0),
        (Number(5), Number(4), 0.75, 0),
        (Number(9), Number(4), 0, 0),
        (Number(1), Number(0), 0, 0),
        (Instants((3.0, 8.0)), Instants((3.4, 7.0), 0.5, 2.0), (0.8 + 0.5) / 2, 0),
        (Instants((3.0, 7.5)), Instants((3.4, 7.0), 0.5, 2.0), (0.8 + 0.75) / 2, 1),
        (Instants((3.4,)), Instants((3.4, 7.0), 0.5, 2.0), 0.5, 0),
        (Instants((1.0, 3.4, 7.0, 20.0)), Instants((3.4, 7.0), 0.5, 2.0), 0.5, 0),
        (Directions(("up",)), Directions(("left", "up", "down")), 1 / 3, 0),
        (Directions(("left", "down")), Directions(("left", "up", "down")), 2 / 3, 0),
    ],
)
def test_scores_by_hand(guess: Answer, truth: Answer, smooth: float, exact: float) -> None:
    assert guess.score(truth)[:2] == pytest.approx((smooth, exact), abs=1e-5)


@pytest.mark.parametrize(
    ("response", "interval"),
    [
        ("14.5-26.2", (14.5, 26.2)),
        ("14.5 – 26.2 seconds.", (14.5, 26.2)),
        ("from 14.5s to 26.2s", (14.5, 26.2)),
        ("[14.5, 26.2]", (14.5, 26.2)),
        ("The answer is: 0:14.5-1:26", (14.5, 86)),
        ("１４．５−２６．２", (14.5, 26.2)),
        ("<answer>1-2</answer> no, <answer>3-4</answer>", (3, 4)),
        ("<ANSWER>3-4</ANSWER> \\boxed{5-6}", (5, 6)),
        ("<answer>3-4</answer>, not in \\boxed{} or \\boxed{...}", (3, 4)),
        ("<answer>\\boxed{3-4}</answer>", (3, 4)),
        ("\\boxed{\\text{3-4}}", (3, 4)),
        ("<answer>1-2<answer>3-4</answer>", (3, 4)),
        ("٣-٤", (3, 4)),
    ],
)
def test_intervals_as_models_write_them(response: str, interval: tuple[float, float]) -> None:
    assert Interval.parse(response) == Interval(*interval)


@pytest.mark.parametrize(
    "response",
    [
        "", "   ", "<answer></answer>", "26.2-14.5", "3-3", "nan-inf", "1e3-2e3", "-3-5", "1-2, 3-4", "1-2 or 3-4", "14,5-26,2",
        "1.2.3-4", "14.5", "I think it is 3-4", "<answer>3-4 or 5-6</answer>", "<answer>3-4", "9" * 40 + "-" + "9" * 41, "\\boxed{3-4",
    ],
)  # fmt: skip
def test_what_is_no_interval(response: str) -> None:
    with pytest.raises(Unparseable):
        Interval.parse(response)


@pytest.mark.parametrize(
    ("response", "values"),
    [
        ("3,1,4", (3, 1, 4)),
        ("(3, 1, 4)", (3, 1, 4)),
        ("3 1 4", (3, 1, 4)),
        ("circles: 3, squares: 1, triangles: 4", (3, 1, 4)),
        ("1 square, 4 triangles and 3 circles", (3, 1, 4)),
        ("Circle = 3; Square = 1; Triangle = 4", (3, 1, 4)),
        ("０,0,10", (0, 0, 10)),
    ],
)
def test_counts_as_models_write_them(response: str, values: tuple[int, ...]) -> None:
    assert ShapeCounts.parse(response) == ShapeCounts(values)


@pytest.mark.parametrize(
    "response", ["3,1", "3,1,4,1", "3,-1,4", "3,1.5,4", "3,1,4 or 3,1,5", "3 circles, 1 circle, 4 triangles", "3 circles", "3,1,four", "1" * 10 + ",1,1"]
)  # fmt: skip
def test_what_is_no_count(response: str) -> None:
    with pytest.raises(Unparseable):
        ShapeCounts.parse(response)


@pytest.mark.parametrize(
    ("response", "items"),
    [
        ("341562", (3, 4, 1, 5, 6, 2)),
        ("3, 4, 1, 5, 6, 2", (3, 4, 1, 5, 6, 2)),
        ("3 -> 4 -> 1 -> 2", (3, 4, 1, 2)),
        ("Clip 3, Clip 1, Clip 2", (3, 1, 2)),
        ("10,9,8,7,6,5,4,3,2,1", (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)),
    ],
)
def test_orders_as_models_write_them(response: str, items: tuple[int, ...]) -> None:
    assert Order.parse(response) == Order(items)


@pytest.mark.parametrize("response", ["1", "112", "1234568", "12345678910", "1,2,2", "0,1,2", "123 321", "312,321", "one,two"])
def test_what_is_no_order(response: str) -> None:
    with pytest.raises(Unparseable):
        Order.parse(response)


@pytest.mark.parametrize("name", tasks.names())
def test_a_list_of_guesses_never_pays(name: str) -> None:
    task = tasks.get(name)
    blind = task.chance(task.params("easy"), 48).blind
    guess, truth = blind.format(), blind.ground_truth()
    for glue in (" ", ", ", "\n", " or ", "; ", "</answer><answer>x"):
        assert task.score(glue.join([guess, guess, guess]), truth).score == 0
    assert task.score(f"<answer>{guess} {guess}</answer>", truth).score == 0


@pytest.mark.parametrize("name", tasks.names())
@given(response=st.text(max_size=600))
def test_any_text_is_scored(name: str, response: str) -> None:
    task = tasks.get(name)
    truth = task.chance(task.params("easy"), 48).blind.ground_truth()
    score = task.score(response, truth)
    assert list(score.to_dict()) == ["score", "exact", "above_chance", "parsed", "reason", "task"]
    assert 0 <= score.score <= 1
    assert score.parsed or (score.score == 0 and score.reason.startswith("unparseable: "))


@pytest.fixture
def _ten_seconds() -> Iterator[None]:
    """A guard against patterns that backtrack without end, which would otherwise hang the tests for days."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("still parsing after ten seconds"))
    signal.alarm(10)
    yield
    signal.alarm(0)


@pytest.mark.usefixtures("_ten_seconds")
@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize(
    "response",
    [
        "1   " * 98 + "x", "1 , " * 98 + "x", "<answer>" * 130_000, "<answer>1</answer>" * 60_000, "\\boxed{" * 150_000, "{" * 1_000_000,
        "1-" * 500_000, " " * 1_000_000 + "1", "clip " * 79 + "x", "and " * 99, "circle " * 56, "：" * 399, "answer is " * 39, "9" * 1_000_000,
    ],
    ids=range(14),
)  # fmt: skip
def test_hostile_responses_end(name: str, response: str) -> None:
    task = tasks.get(name)
    assert task.score(response, task.chance(task.params("easy"), 48).blind.ground_truth()).exact == 0


@pytest.mark.parametrize("truth", ["", "abc", "3,1", "5-4", None, 7])
def test_a_malformed_truth_is_an_error_and_no_zero(truth: object) -> None:
    with pytest.raises(ValueError, match="ground_truth="):
        tasks.get("counting").score("3,1,4", truth)  # type: ignore[arg-type]


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(tasks.UnknownTask, match="did you mean 'counting'"):
        tasks.get("videossr/countin")
    assert tasks.get("videossr/jigsaw") is tasks.get("jigsaw")


def test_above_chance_is_zero_at_the_floor_and_one_at_the_top() -> None:
    task = tasks.get("counting")
    assert task.score("3,1,4", "3,1,4", 0.5).above_chance == 1
    assert task.score("no", "3,1,4", 0.5).above_chance == -1
    assert tasks.get("jigsaw").score("21", "21").above_chance == 0  # with two clips, the only possible answer


@pytest.mark.parametrize("size", [2, 3, 5, 6])
def test_the_order_floor_is_the_best_constant(size: int) -> None:
    identity = tuple(range(1, size + 1))
    truths = [Order(p) for p in permutations(identity) if p != identity]
    means = {p: sum(Order(p).score(truth)[0] for truth in truths) / len(truths) for p in permutations(identity)}
    floor = Order.chance(size)
    assert floor.smooth == pytest.approx(max(means.values()))
    assert means[floor.blind.items] == pytest.approx(floor.smooth)  # type: ignore[attr-defined]


def test_the_count_floor_is_the_best_constant() -> None:
    rng = random.Random(0)
    floor = tasks.get("counting").chance(tasks.get("counting").params("easy"), 48)

    def draw() -> int:
        return sum(rng.randint(1, 3) for _ in range(rng.randint(1, 3)))

    truths = [ShapeCounts((draw(), draw(), draw())) for _ in range(20_000)]
    means = [sum(ShapeCounts((k,) * 3).score(truth)[0] for truth in truths) / len(truths) for k in range(10)]
    assert max(means) == pytest.approx(floor.smooth, abs=0.01)
    assert isinstance(floor.blind, Counts)
    assert means.index(max(means)) == floor.blind.values[0]
    assert floor.exact == pytest.approx(0.1975, abs=1e-3)  # 19.7 % strict, as measured on the paper's construction


def test_the_label_floor_is_what_any_letters_reach() -> None:
    for distinct in (False, True):
        draws = permutations("ABCD", 2) if distinct else product("ABCD", repeat=2)
        truths = [Labels(letters) for letters in draws]
        floor = Labels.chance(2, 4, distinct)
        best = max(sum(Labels(guess).score(truth)[0] for truth in truths) for guess in product("ABCD", repeat=2))
        assert floor.smooth == pytest.approx(best / len(truths))
        assert floor.exact == pytest.approx(1 / len(truths))
        assert sum(floor.blind.score(truth)[0] for truth in truths) / len(truths) == pytest.approx(floor.smooth)


@pytest.mark.parametrize("name", ["motion", "camera"])
def test_the_sequence_floor_is_the_best_constant(name: str) -> None:
    """Compared with all sequences of as many words and of fewer, on the draws of the generator itself; more are no answer."""
    task = tasks.get(name)
    module = sys.modules[type(task).__module__]
    floor = task.chance(task.params("easy", {"moves": 3}), 48)
    rng = random.Random(1)
    truths = [task.answer(module._draw(rng, 3)) for _ in range(600)]  # type: ignore[call-arg]
    symbols = task.answer.symbols  # type: ignore[attr-defined]
    guesses = [task.answer(words) for size in (1, 2, 3) for words in product(symbols, repeat=size)]  # type: ignore[call-arg]
    best = max(sum(guess.score(truth)[0] for truth in truths) / len(truths) for guess in guesses)
    assert floor.smooth == pytest.approx(best, abs=0.03)
    most = max(Counter(truth.format() for truth in truths).values()) / len(truths)
    assert floor.exact == pytest.approx(most, abs=0.02)
    with pytest.raises(Unparseable, match="4 words, 3 wanted"):
        task.answer((*symbols, *symbols)[:4]).score(truths[0])  # type: ignore[call-arg]


def test_the_instants_floor_is_the_best_constant() -> None:
    rng = random.Random(0)
    samples = [tuple(sorted(rng.sample(range(2, 20, 2), 2))) for _ in range(300)]
    floor = Instants.chance(samples, 2, 4)
    truths = [Instants(sample, 2, 4) for sample in samples]
    guesses = [Instants(times) for size in (1, 2, 3) for times in combinations(range(20), size)]
    best = max(sum(guess.score(truth)[0] for truth in truths) / len(truths) for guess in guesses)
    assert floor.smooth == pytest.approx(best, abs=0.02)


def test_the_floor_of_swapped_discs_is_the_best_constant() -> None:
    floor = tasks.get("shells").chance(tasks.get("shells").params("easy"), 48)
    rng = random.Random(0)
    rows = [shells._draw(rng, 3, 3, 1)[1] for _ in range(20_000)]
    truths = [Order(tuple(k + 1 for k in row)) for row in rows]
    means = [sum(Order(p).score(truth)[0] for truth in truths) / len(truths) for p in permutations((1, 2, 3))]
    assert floor.smooth == pytest.approx(max(means), abs=0.01)


@pytest.mark.parametrize(
    ("response", "letters"),
    [("B,A,D", "BAD"), ("BAD", "BAD"), ("b, a and d", "BAD"), ("1: B, 2: A, 3: D", "BAD"), ("Clip 2: A, Clip 1: B, Clip 3: D", "BAD")],
)  # fmt: skip
def test_letters_as_models_write_them(response: str, letters: str) -> None:
    assert Labels.parse(response) == Labels(tuple(letters))


@pytest.mark.parametrize(
    ("name", "response", "truth"),
    [
        ("cloze", "Gap 1: Candidate C, Gap 2: Candidate A", "C,A"),
        ("cloze", "1. C\n2. A", "C,A"),
        ("motion", "1. left\n2. up\n3. left", "left,up,left"),
        ("camera", "pans left, zooms in, pans up", "left,in,up"),
        ("tally", "1 square, 4 squares, 5 squares", "1,4,5"),
        ("flashes", "3 green, 1 red, 4 yellow, 2 blue", "3142"),
        ("cuts", "At 3.2 s and 7.9 s", "3.2,7.9 ±0.5 ±1.5"),
        ("loops", "4 plays", "4"),
        ("tiles", "2 4\n1 3", "2413"),
        ("tiles", "24\n13", "2413"),
        ("jigsaw", "1. 3\n2. 1\n3. 2", "312"),
    ],
)
def test_answers_in_the_words_of_their_questions(name: str, response: str, truth: str) -> None:
    assert tasks.get(name).score(response, truth).score == 1


@pytest.mark.parametrize("truth", ["3.2,7.9", "3.2,7.9 ±0.5", "7.9,3.2 ±0.5 ±1", "3.2 ±0 ±1", "3.2 ±2 ±1", "±1 ±2"])
def test_instants_need_their_limits(truth: str) -> None:
    with pytest.raises(ValueError, match="ground_truth="):
        tasks.get("cuts").score("3.2,7.9", truth)


DIGITS = [chr(code) for code in range(0x80, sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Nd"]
DASHES = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Pd"] + ["−"]


def test_every_digit_and_dash_of_unicode_counts() -> None:
    assert len(DIGITS) > 600
    for digit in DIGITS:
        assert ShapeCounts.parse(f"{digit},1,{digit}0") == ShapeCounts(
            (unicodedata.decimal(digit), 1, 10 * unicodedata.decimal(digit))
        )
    for dash in DASHES:
        assert Interval.parse(f"14.5{dash}26.2") == Interval(14.5, 26.2)


def marked_slowly(response: str) -> str | None:
    """The last pair of tags, by walking through all of them."""
    opened, found = -1, None
    for match in re.finditer(r"<(/?)answer>", response, re.IGNORECASE | re.ASCII):
        if not match[1]:
            opened = match.end()
        elif opened >= 0:
            found, opened = response[opened : match.start()], -1
    return found


@given(
    st.lists(
        st.sampled_from(["<answer>", "</answer>", "<ANSWER>", "</Answer>", "3,1,4", "İ", "ſ", " ", "<answer", "answer>", "é"])
    ).map("".join)
)
def test_the_last_pair_of_tags_is_found(response: str) -> None:
    assert _last_marked(response, _lower(response)) == marked_slowly(response)


@pytest.mark.parametrize("name", tasks.names())
def test_a_prompt_that_is_echoed_pays_nothing(name: str) -> None:
    task = tasks.get(name)
    blind = task.chance(task.params("medium"), 48).blind
    guess, truth = blind.format(), blind.ground_truth()
    question = f"For example {guess}. Give only the answer, inside <answer></answer>."
    assert task.score(question, truth).parsed == ""
    assert task.score(f"{question}\n<answer>{guess}</answer>", truth).score == 1
