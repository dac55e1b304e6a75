"""Weights that follow what portions teach, and a simulation of learners whose abilities differ by task."""

from __future__ import annotations

import json
from collections import defaultdict
from math import exp
from random import Random
from statistics import fmean

import pytest

from dataset_builder.tasks import UsageError
from trainer.data.curriculum import Curriculum, CurriculumSettings
from trainer.data.mixture import Group, Mixture, MixtureSettings

PORTIONS, ROLLOUTS, PARTS = 10, 8, 3
STEPS, GROUPS = 120, 24  # of training; groups a step
LEVELS = (0.0, 1 / 3, 2 / 3, 1.0)
CHANCE = 0.25


class Learner:
    """Its ability at each portion grows with the differences of rewards within a group, at some portions never."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.abilities = [rng.uniform(-0.5, 0.9) for _ in range(PORTIONS)]
        self.rates = [rng.choice([0.0, 0.02, 0.06, 0.15]) for _ in range(PORTIONS)]

    def right(self, portion: int, level: float) -> float:
        return 1 / (1 + exp(-8 * (self.abilities[portion] - level)))

    def train(self, portion: int, level: float) -> list[float]:
        """The rewards above chance of a group of rollouts, from which it learns."""
        share = self.right(portion, level)
        rewards = [sum(self.rng.random() < share for _ in range(PARTS)) / PARTS for _ in range(ROLLOUTS)]
        mean = fmean(rewards)
        spread = fmean((reward - mean) ** 2 for reward in rewards) ** 0.5
        self.abilities[portion] = min(1.3, self.abilities[portion] + self.rates[portion] * spread / 4)
        return [(reward - CHANCE) / (1 - CHANCE) for reward in rewards]

    def score(self) -> float:
        return fmean(self.right(portion, level) for portion in range(PORTIONS) for level in LEVELS)


def train(seed: int, *, curriculum: bool, mixture: bool) -> tuple[float, float]:
    """Scores over all portions and levels, before and after."""
    rng = Random(seed)
    learner, names = Learner(rng), [str(portion) for portion in range(PORTIONS)]
    before = learner.score()
    levels, weights = Curriculum(CurriculumSettings(), names), Mixture(MixtureSettings(), dict.fromkeys(names, 1.0))
    for step in range(STEPS):
        rewards: dict[str, list[list[float]]] = defaultdict(list)
        groups: dict[str, list[Group]] = defaultdict(list)
        for k in range(GROUPS):
            name = weights.pick(rng) if mixture else names[(step * GROUPS + k) % PORTIONS]
            level = levels.level(name) if curriculum else 1 / 3
            group = learner.train(int(name), level)
            rewards[name].append(group)
            groups[name].append((fmean(group) + level, max(group) > min(group)))
        if curriculum:
            levels.step(rewards)
        weights.step(groups)
    return before, learner.score()


@pytest.mark.parametrize("curriculum", [False, True])
def test_simulated_learners_learn_more(curriculum: bool) -> None:
    """The present rule is equal weights, with levels that follow the model. `pytest -s` prints the figures in README."""
    gains = {}
    for mixture in (False, True):
        scores = [train(seed, curriculum=curriculum, mixture=mixture) for seed in range(6)]
        gains[mixture] = fmean(after - before for before, after in scores)
        print(f"curriculum {curriculum}, adaptive mixture {mixture}: gain {gains[mixture]:.3f}")
    assert gains[True] > 1.05 * gains[False]


def test_what_teaches_is_asked_more_and_nothing_is_forgotten() -> None:
    mixture = Mixture(MixtureSettings(floor=0.1, groups=8), {"rising": 1, "flat": 1, "solved": 2})
    assert mixture.weights() == {"rising": 0.25, "flat": 0.25, "solved": 0.5}
    for step in range(8):
        metrics = mixture.step({"rising": [(0.1 * step, True)], "flat": [(0.3, True)], "solved": [(0.9 + 0.01 * step, False)]})
    assert metrics["mixture/rising/weight"] > 0.8
    assert sum(mixture.weights().values()) == pytest.approx(1)
    assert mixture.weights()["solved"] == pytest.approx(2 * mixture.weights()["flat"])
    picks = [mixture.pick(Random(seed)) for seed in range(500)]
    assert set(picks) == {"rising", "flat", "solved"}


def test_a_checkpoint_goes_on_with_the_same_weights() -> None:
    mixture, again = (Mixture(MixtureSettings(groups=8), {"a": 1, "b": 3}) for _ in range(2))
    for step in range(12):
        mixture.step({"a": [(0.1 * step, True), (0.2, True)], "b": [(0.5, True)]})
    again.load_state_dict(json.loads(json.dumps(mixture.state_dict())))
    assert again.weights() == mixture.weights()


def test_the_order_within_a_step_does_not_matter() -> None:
    one, other = (Mixture(MixtureSettings(groups=8), {"a": 1, "b": 1}) for _ in range(2))
    for step in range(4):
        one.step({"a": [(0.1 * step, True), (0.5, False)], "b": [(0.1, True)]})
        other.step({"b": [(0.1, True)], "a": [(0.5, False), (0.1 * step, True)]})
    assert one.weights() == other.weights()


@pytest.mark.parametrize(
    ("groups", "problem"), [({"c": [(0.1, True)]}, "portion='c'"), ({"a": [(float("nan"), True)]}, "finite")]
)
def test_faults_are_named(groups: dict[str, list[Group]], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Mixture(MixtureSettings(), {"a": 1}).step(groups)


@pytest.mark.parametrize("settings", [{"floor": 0}, {"floor": 1.5}, {"groups": 3}])
def test_settings_that_are_not_allowed(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="allowed"):
        MixtureSettings(**settings)  # type: ignore[arg-type]
