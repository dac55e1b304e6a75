"""Levels that follow the model: the rule by itself, and against learners whose ability is known."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.curriculum import Curriculum, CurriculumSettings

PORTIONS = ("counting", "jigsaw")
groups = st.lists(st.floats(-1, 1), max_size=20)
steps = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(PORTIONS, groups)), max_size=20)


@given(steps, st.randoms())
def test_levels_depend_on_the_rewards_alone(told: list[dict[str, list[float]]], chance: Random) -> None:
    one, other = (Curriculum(CurriculumSettings(), PORTIONS) for _ in range(2))
    for at, rewards in enumerate(told):
        one.step(rewards)
        shuffled = {name: chance.sample(own, len(own)) for name, own in reversed(rewards.items())}
        other.step(shuffled)
        if at == len(told) // 2:  # a run that went on from a checkpoint
            resumed = Curriculum(CurriculumSettings(), PORTIONS)
            resumed.load_state_dict(other.state_dict())
            other = resumed
    assert one.state_dict() == other.state_dict()
    assert all(0 <= one.level(name) <= 1 for name in PORTIONS)


def test_levels_move_by_the_band() -> None:
    curriculum = Curriculum(CurriculumSettings(start=0.5, groups=2), PORTIONS)
    assert curriculum.step({"counting": [0.5, 0.4]})["curriculum/counting/level"] == 0.5
    assert curriculum.step({"counting": [0.9]})["curriculum/counting/level"] == 0.5, "one group is not enough"
    assert curriculum.step({"counting": [0.7]})["curriculum/counting/level"] == 0.6
    assert curriculum.step({"counting": [0.0, 0.0]})["curriculum/counting/level"] == 0.5
    assert curriculum.level("jigsaw") == 0.5
    with pytest.raises(ValueError, match="portion='juggling' is unknown; allowed: counting, jigsaw"):
        curriculum.step({"juggling": [1.0]})
    with pytest.raises(ValueError, match="finite"):
        curriculum.step({"counting": [math.nan]})


@pytest.mark.parametrize("wrong", [{"start": 2}, {"low": 0.6, "high": 0.6}, {"gain": 0}, {"groups": 0}, {"most": "x"}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"data\.videossr\.levels"):
        CurriculumSettings(**wrong)  # type: ignore[arg-type]


class Learner:
    """Has an ability; is rewarded by how far it is above a question's level; learns from differences within a group."""

    def __init__(self, ability: float, seed: int) -> None:
        self.ability = ability
        self._rng = Random(seed)

    def group(self, level: float, size: int = 8) -> list[float]:
        right = 1 / (1 + math.exp(-15 * (self.ability - level)))
        rewards = [float(self._rng.random() < right) for _ in range(size)]
        self.ability += 0.0005 * pstdev(rewards)
        return rewards


def train(learner: Learner, curriculum: Curriculum | None, level: float, steps: int = 400) -> tuple[float, float]:
    """(ability at the end, share of groups that had differences)."""
    varied = []
    for _ in range(steps):
        at = curriculum.level("jigsaw") if curriculum else level
        groups = [learner.group(at) for _ in range(8)]
        varied += [pstdev(group) > 0 for group in groups]
        if curriculum:
            curriculum.step({"jigsaw": [fmean(group) for group in groups]})
    return learner.ability, fmean(varied)


@pytest.mark.parametrize("ability", [-0.1, 0.2, 0.5])
def test_a_level_that_follows_teaches_more_than_any_fixed_one(ability: float) -> None:
    following = [train(Learner(ability, seed), Curriculum(CurriculumSettings(), PORTIONS), 0) for seed in range(5)]
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        fixed = [train(Learner(ability, seed), None, level) for seed in range(5)]
        assert fmean(end for end, _ in following) > fmean(end for end, _ in fixed) - 0.02
        assert fmean(varied for _, varied in following) > fmean(varied for _, varied in fixed) - 0.02
    assert fmean(varied for _, varied in following) > 0.8
