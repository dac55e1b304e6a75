from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder import tasks
from dataset_builder.tasks import LEVELS, Level

ALL_KNOBS = [(name, knob) for name in tasks.names() for knob in tasks.get(name).knobs]


def test_named_levels_stand_at_even_distances() -> None:
    assert [Level.of(name).value for name in LEVELS] == [0, 1 / 3, 2 / 3, 1]
    assert Level.of(0.0).name == "easy"
    assert Level.of("0.6") == Level.of(0.6) == Level(0.6, "0.6")


@pytest.mark.parametrize("given_value", ["brutal", -0.1, 1.01, float("nan"), None, True, [], "easy "])
def test_anything_else_is_refused_with_what_is_allowed(given_value: object) -> None:
    with pytest.raises(ValueError, match=r"difficulty=.*easy, medium, hard, extreme, or a number in \[0, 1\]"):
        Level.of(given_value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("task", "knob"), ALL_KNOBS, ids=[f"{task}.{knob.name}" for task, knob in ALL_KNOBS])
def test_every_knob_is_monotone_and_hits_its_table(task: str, knob: tasks.base.Knob) -> None:
    assert (
        tuple(knob.at(Level.of(name)) for name in LEVELS) == pytest.approx(knob.values, abs=1e-6)
        if isinstance(knob.values[0], float)
        else tuple(knob.at(Level.of(name)) for name in LEVELS) == knob.values
    )
    ladder = [knob.at(Level(step / 60, "")) for step in range(61)]
    if isinstance(knob.values[0], (int, float)):
        assert ladder in (sorted(ladder), sorted(ladder, reverse=True))
    for value in knob.values:
        assert knob.read(value) == value


def test_the_papers_values() -> None:
    counting, jigsaw, grounding = (tasks.get(name) for name in ("counting", "jigsaw", "grounding"))
    for level, most, clips in (("easy", 3, 6), ("hard", 4, 8)):
        params = counting.params(level)
        assert (params["max_frames"], params["max_per_frame"]) == (most, most)
        assert jigsaw.params(level)["clips"] == clips
    lengths = {round(48 * grounding.params("easy")[name]) for name in ("min_share", "max_share")}
    assert lengths == {8, 16}


@pytest.mark.parametrize(
    ("task", "override", "told"),
    [
        ("jigsaw", {"clips": 1}, "clips=1 is not allowed; allowed: an integer from 2 to 64"),
        ("jigsaw", {"clips": "many"}, "clips='many'"),
        ("jigsaw", {"clips": 2.5}, "clips=2.5"),
        ("jigsaw", {"clip": 5}, "clip=5 is not a parameter.*did you mean 'clips'"),
        ("grounding", {"effects": "mirror,sepia"}, "effects='mirror,sepia'.*channel_swap"),
        ("grounding", {"named": "perhaps"}, "named='perhaps'.*true or false"),
        ("grounding", {"min_share": 0.5, "max_share": 0.2}, "min_share=0.5"),
        ("grounding", {"strength": float("nan")}, "strength=nan"),
        ("counting", {"min_size": True}, "min_size=True"),
    ],
)
def test_a_wrong_override_is_named_with_what_is_allowed(task: str, override: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tasks.get(task).params("easy", override)


@given(st.floats(0, 1), st.sampled_from(tasks.names()))
def test_every_number_gives_parameters(difficulty: float, name: str) -> None:
    params = tasks.get(name).params(difficulty)
    assert set(params) == {knob.name for knob in tasks.get(name).knobs}
