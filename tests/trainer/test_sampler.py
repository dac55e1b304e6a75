"""What the sampler makes of groups, and where it stops asking anew."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from trainer.sampler import RewardedSampler, Rollout, portion_metrics


def sampler(**more: Any) -> RewardedSampler:
    return RewardedSampler(
        trainer_mode="sync", trainer_config={}, max_off_policy_threshold=8, max_off_policy_strategy="drop",
        sampler_kwargs={"train_batch_size": 2, "rollouts": 8, **more}, refill_fn=lambda number: number,
    )  # fmt: skip


def test_an_outage_ends_training_instead_of_eating_questions() -> None:
    asked = sampler(most_lost=3)
    with pytest.raises(RuntimeError, match="7 groups of this step have lost their rollouts: the reward service"):
        asked._evict_terminal_groups(1, "train", (set(), set(), {f"u{k}" for k in range(7)}, Counter()))


def test_groups_without_differences_are_taken_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    alike = {"u"}, Counter({"0.0": 1})
    monkeypatch.setattr(ReplayBuffer, "_dapo_filtered_keys", lambda *_: alike)
    asked = sampler(most_left_out=1, filter_groups_metric="exact")
    group = [Rollout("jigsaw", 0.0, {"score": 0.0})]
    asked._left_out = {"a": group}
    assert asked._dapo_filtered_keys("train") == alike
    asked._left_out = {"a": group, "b": group}
    assert asked._dapo_filtered_keys("train") == (set(), Counter())


def test_what_little_is_left_of_a_group_is_not_learned_from() -> None:
    asked = sampler()
    asked.partitions["train"] = dict.fromkeys(["lone_0", "pair_0", "pair_3", "whole_0"])
    asked.failure_keys["train"] = {"lone", "pair", "gone"}
    assert asked._terminal_eviction_reasons(1, "train")[2] == {"lone", "gone"}


def test_metrics_are_by_portion() -> None:
    def group(portion: str, level: float, *scores: float) -> list[Rollout]:
        return [Rollout(portion, level, {"score": score, "exact": float(score == 1)}) for score in scores]

    told = portion_metrics([group("counting", 0.2, 0.5, 0.5), group("counting", 0.4, 0.0, 1.0), group("jigsaw", 0.0, 1.0, 1.0)])
    assert told == {
        "portion/counting/score": 0.5, "portion/counting/exact": 0.25, "portion/counting/level": pytest.approx(0.3),
        "portion/counting/with_variance": 0.5, "portion/jigsaw/score": 1.0, "portion/jigsaw/exact": 1.0,
        "portion/jigsaw/level": 0.0, "portion/jigsaw/with_variance": 0.0,
    }  # fmt: skip
