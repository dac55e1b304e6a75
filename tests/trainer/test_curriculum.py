"""The curriculum: how levels move, and how it trains simulated learners of known ability."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.curriculum import Curriculum, CurriculumSettings

PORTIONS = ("counting", "jigsaw")
groups = st.lists(st.floats(-1, 1), max_size=20)
steps = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(PORTIONS, groups)), max_size=20)


@given(steps, st.randoms())
def test_levels_depend_only_on_the_rewards(all_rewards: list[dict[str, list[float]]], rng: Random) -> None:
    one, other = (Curriculum(CurriculumSettings(), PORTIONS) for _ in range(2))
    for step, rewards in enumerate(all_rewards):
        one.step(rewards)
        shuffled = {name: rng.sample(values, len(values)) for name, values in reversed(rewards.items())}
        other.step(shuffled)
        if step == len(all_rewards) // 2:  # as if resumed from a checkpoint
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


@pytest.mark.parametrize("settings", [{"start": 2}, {"low": 0.6, "high": 0.6}, {"gain": 0}, {"groups": 0}, {"most": "x"}])
def test_wrong_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"data\.videossr\.levels"):
        CurriculumSettings(**settings)  # type: ignore[arg-type]


class Learner:
    """A simulated model: more often right the more its ability exceeds the level; learns from reward differences in a group."""

    def __init__(self, ability: float, seed: int) -> None:
        self.ability = ability
        self._rng = Random(seed)

    def group(self, level: float, size: int = 8) -> list[float]:
        probability = 1 / (1 + math.exp(-15 * (self.ability - level)))
        rewards = [float(self._rng.random() < probability) for _ in range(size)]
        self.ability += 0.0005 * pstdev(rewards)
        return rewards


def train(learner: Learner, curriculum: Curriculum | None, level: float, steps: int = 400) -> tuple[float, float]:
    """Returns (final ability, share of groups with different rewards)."""
    has_variance = []
    for _ in range(steps):
        current_level = curriculum.level("jigsaw") if curriculum else level
        groups = [learner.group(current_level) for _ in range(8)]
        has_variance += [pstdev(group) > 0 for group in groups]
        if curriculum:
            curriculum.step({"jigsaw": [fmean(group) for group in groups]})
    return learner.ability, fmean(has_variance)


@pytest.mark.parametrize("ability", [-0.1, 0.2, 0.5])
def test_the_curriculum_teaches_more_than_any_fixed_level(ability: float) -> None:
    adaptive = [train(Learner(ability, seed), Curriculum(CurriculumSettings(), PORTIONS), 0) for seed in range(5)]
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        fixed = [train(Learner(ability, seed), None, level) for seed in range(5)]
        assert fmean(final for final, _ in adaptive) > fmean(final for final, _ in fixed) - 0.02
        assert fmean(variance for _, variance in adaptive) > fmean(variance for _, variance in fixed) - 0.02
    assert fmean(variance for _, variance in adaptive) > 0.8
