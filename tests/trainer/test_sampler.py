"""The sampler's metrics, and its limits on lost and filtered groups."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from trainer.verl_hooks.sampler import RewardedSampler, Rollout, portion_metrics


def sampler(**more: Any) -> RewardedSampler:
    return RewardedSampler(
        trainer_mode="sync", trainer_config={}, max_off_policy_threshold=8, max_off_policy_strategy="drop",
        sampler_kwargs={"train_batch_size": 2, "rollouts": 8, **more}, refill_fn=lambda number: number,
    )  # fmt: skip


def test_an_outage_stops_training_instead_of_using_up_questions() -> None:
    buffer = sampler(most_lost=3)
    with pytest.raises(RuntimeError, match="7 groups of this step have lost their rollouts: the reward service"):
        buffer._evict_terminal_groups(1, "train", (set(), set(), {f"u{k}" for k in range(7)}, Counter()))


def test_filtering_stops_after_too_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    filtered = {"u"}, Counter({"0.0": 1})
    monkeypatch.setattr(ReplayBuffer, "_dapo_filtered_keys", lambda *_: filtered)
    buffer = sampler(most_left_out=1, filter_groups_metric="exact")
    group = [Rollout("jigsaw", 0.0, {"score": 0.0})]
    buffer._filtered_groups = {"a": group}
    assert buffer._dapo_filtered_keys("train") == filtered
    buffer._filtered_groups = {"a": group, "b": group}
    assert buffer._dapo_filtered_keys("train") == (set(), Counter())


def test_groups_with_one_remaining_rollout_are_dropped() -> None:
    buffer = sampler()
    buffer.partitions["train"] = dict.fromkeys(["lone_0", "pair_0", "pair_3", "whole_0"])
    buffer.failure_keys["train"] = {"lone", "pair", "gone"}
    assert buffer._terminal_eviction_reasons(1, "train")[2] == {"lone", "gone"}


def test_metrics_are_computed_by_portion() -> None:
    def group(portion: str, level: float, *scores: float) -> list[Rollout]:
        return [Rollout(portion, level, {"score": score, "exact": float(score == 1)}) for score in scores]

    metrics = portion_metrics(
        [group("counting", 0.2, 0.5, 0.5), group("counting", 0.4, 0.0, 1.0), group("jigsaw", 0.0, 1.0, 1.0)]
    )
    assert metrics == {
        "portion/counting/score": 0.5, "portion/counting/exact": 0.25, "portion/counting/level": pytest.approx(0.3),
        "portion/counting/with_variance": 0.5, "portion/jigsaw/score": 1.0, "portion/jigsaw/exact": 1.0,
        "portion/jigsaw/level": 0.0, "portion/jigsaw/with_variance": 0.0,
    }  # fmt: skip
