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
groups = st.lists(st.lists(st.floats(-1, 1), min_size=2, max_size=8), max_size=20)
steps = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(PORTIONS, groups)), max_size=20)


@given(steps, st.randoms())
def test_levels_depend_only_on_the_rewards(all_rewards: list[dict[str, list[list[float]]]], rng: Random) -> None:
    one, other = (Curriculum(CurriculumSettings(), PORTIONS) for _ in range(2))
    for step, rewards in enumerate(all_rewards):
        one.step(rewards)
        shuffled = {
            name: [rng.sample(group, len(group)) for group in rng.sample(values, len(values))]
            for name, values in reversed(rewards.items())
        }
        other.step(shuffled)
        if step == len(all_rewards) // 2:  # as if resumed from a checkpoint
            resumed = Curriculum(CurriculumSettings(), PORTIONS)
            resumed.load_state_dict(other.state_dict())
            other = resumed
    assert one.state_dict() == other.state_dict()
    assert all(0 <= one.level(name) <= 1 for name in PORTIONS)


def test_levels_move_to_where_rollouts_differ() -> None:
    curriculum = Curriculum(CurriculumSettings(start=0.5, groups=2), PORTIONS)

    def level_after(*rewards: list[float]) -> float:
        return curriculum.step({"counting": list(rewards)})["curriculum/counting/level"]

    assert level_after([0.6, 0.6, 1.0, 1.0], [0.6, 1.0, 1.0, 0.6]) == 0.5, "half of each group above its middle"
    assert level_after([0.6, 1.0, 1.0, 1.0]) == 0.5, "one group is not enough"
    assert level_after([0.6, 1.0, 1.0, 1.0]) == 0.575
    assert level_after([0.6, 0.6, 0.6, 1.0], [0.6, 0.6, 0.6, 1.0]) == 0.5, "a lucky rollout is no reason to rise"
    assert level_after([0.65] * 4, [0.65] * 4) == 0.4, "partial credit for all is no success"
    assert level_after([1.0] * 4, [1.0] * 4) == 0.5
    assert curriculum.level("jigsaw") == 0.5
    with pytest.raises(ValueError, match="portion='juggling' is unknown; allowed: counting, jigsaw"):
        curriculum.step({"juggling": [[1.0, 0.0]]})
    with pytest.raises(ValueError, match="finite"):
        curriculum.step({"counting": [[math.nan, 0.0]]})


def test_questions_lie_around_the_level() -> None:
    curriculum = Curriculum(CurriculumSettings(start=0.5, jitter=0.1), PORTIONS)
    levels = [curriculum.question_level("counting", number) for number in range(200)]
    assert levels == [curriculum.question_level("counting", number) for number in range(200)]
    assert 0.4 <= min(levels) < 0.41
    assert 0.59 < max(levels) <= 0.6
    assert 0 <= Curriculum(CurriculumSettings(jitter=0.3), PORTIONS).question_level("counting", 1) <= 1


@pytest.mark.parametrize("settings", [{"start": 2}, {"low": 0.6, "high": 0.6}, {"gain": 0}, {"groups": 0}, {"most": "x"}])
def test_wrong_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"data\.videossr\.levels"):
        CurriculumSettings(**settings)  # type: ignore[arg-type]


class Learner:
    """A simulated model: more often right the more its ability exceeds the level, and with partial credit where it is wrong.

    It learns from the normalised differences within a group.
    """

    def __init__(self, ability: float, credit: float, seed: int) -> None:
        self.ability, self._credit = ability, credit
        self._rng = Random(seed)

    def group(self, level: float, size: int = 8) -> list[float]:
        probability = 1 / (1 + math.exp(-15 * (self.ability - level)))
        rewards = [1.0 if self._rng.random() < probability else self._credit for _ in range(size)]
        self.ability += 0.0005 * pstdev(rewards) / (1 - self._credit)
        return rewards


def train(learner: Learner, curriculum: Curriculum | None, level: float, steps: int = 200) -> tuple[float, float]:
    """Returns (final ability, share of groups with different rewards). Without a curriculum, a negative level is a random one."""
    has_variance, rng = [], Random(1)
    for step in range(steps):
        levels = [
            curriculum.question_level("jigsaw", 8 * step + number) if curriculum else level if level >= 0 else rng.random()
            for number in range(8)
        ]
        groups = [learner.group(level) for level in levels]
        has_variance += [pstdev(group) > 0 for group in groups]
        if curriculum:
            curriculum.step({"jigsaw": groups})
    return learner.ability, fmean(has_variance)


@pytest.mark.parametrize("credit", [0.0, 0.4, 0.65])
@pytest.mark.parametrize("ability", [-0.1, 0.5])
def test_the_curriculum_teaches_more_than_fixed_and_random_levels(ability: float, credit: float) -> None:
    def learn(curriculum: bool, level: float) -> tuple[float, float]:
        runs = [
            train(
                Learner(ability, credit, seed),
                Curriculum(CurriculumSettings(start=level), PORTIONS) if curriculum else None,
                level,
            )
            for seed in range(2)
        ]
        return fmean(final for final, _ in runs), fmean(variance for _, variance in runs)

    others = [learn(False, level) for level in (-1.0, 0.0, 0.25, 0.5, 0.75, 1.0)]
    for start in (0.0, 0.5, 1.0):  # too easy, and too hard
        final, variance = learn(True, start)
        assert final > max(ability for ability, _ in others) - 0.03
        assert variance > 0.75
