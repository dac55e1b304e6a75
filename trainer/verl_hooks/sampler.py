"""verl's replay buffer with per-portion metrics, which also passes each step's rewards to the curriculum and the mixture.

trainer.v1.sampler.custom_sampler.path=pkg://trainer.verl_hooks.sampler
trainer.v1.sampler.custom_sampler.name=RewardedSampler
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from ..data.live import LiveQuestions
from .validation import Answer

TRAIN = "train"
SETTINGS = (
    "train_batch_size",
    "filter_groups_metric",
    "max_inflight_gen_batches",
    "poll_interval",
    "most_lost",
    "most_left_out",
    "rollouts",
)
MIN_ROLLOUTS = 2  # per group: GRPO would use the reward of a single rollout as its advantage
_SCORES = ("score", "exact", "above_chance")


@dataclass(frozen=True)
class Rollout:
    """A scored rollout: its question's portion and level, its scores by name, and the one of them that the portion reports."""

    portion: str
    level: float
    scores: dict[str, float]
    metric: str = "score"


class RewardedSampler(ReplayBuffer):  # type: ignore[misc]
    """verl's synchronous sampling and group filtering, with metrics by portion.

    verl does not pass its filter settings to a custom sampler, so they are in `trainer.v1.sampler.sampler_kwargs`:
    `filter_groups_metric` (`exact` drops groups whose strict scores are all equal; null drops none), `train_batch_size`,
    `max_inflight_gen_batches`, `poll_interval` (seconds) and `rollouts` (per group). Two limits are in batches per step:
    after `most_lost` batches of groups without rewards training stops, and after `most_left_out` batches of filtered groups
    the filter is off for the rest of the step.

    `sample` raises RuntimeError if too many groups are lost.
    """

    def __init__(self, **kwargs: Any) -> None:
        settings = dict(kwargs["sampler_kwargs"])
        super().__init__(
            **kwargs,
            poll_interval=settings.get("poll_interval", 0.2),
            filter_groups_metric=settings.get("filter_groups_metric"),
            train_batch_size=settings["train_batch_size"],
            gen_batch_size=1,
            max_inflight_gen_batches=settings.get("max_inflight_gen_batches", 1),
            sync_refill_failed_groups=True,
        )
        self._filtered_groups: dict[str, list[Rollout]] = {}
        self._answers: list[Answer] = []
        self._lost_groups, self._seconds_waited = 0, 0.0
        self._max_lost_groups = settings.get("most_lost", 4) * settings["train_batch_size"]
        self._max_filtered_groups = settings.get("most_left_out", 4) * settings["train_batch_size"]
        self._rollouts_per_group = settings["rollouts"]

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, Any]]:
        """Wait for one training batch. Returns verl's batch and the step's metrics; also updates curriculum and mixture."""
        self._lost_groups = 0
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        if partition_id == TRAIN:
            batch_groups = _read_groups(batch.keys)
            groups = batch_groups | self._filtered_groups
            self._filtered_groups = {}
            metrics["rollouts/lost"] = sum(self._rollouts_per_group - len(group) for group in batch_groups.values())
            metrics["groups/lost"] = self._lost_groups
            metrics |= portion_metrics(groups.values())
            metrics |= self._update_questions(groups.values())
        else:
            rollouts = [rollout for group in _read_groups(batch.keys, partition_id).values() for rollout in group]
            self._answers += [Answer(rollout.portion, rollout.metric, rollout.scores[rollout.metric]) for rollout in rollouts]
        return batch, metrics

    def take_answers(self) -> list[Answer]:
        """What validation has sampled since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def _terminal_eviction_reasons(self, global_steps: int, partition_id: str) -> Any:
        stale, filtered, failed, counts = super()._terminal_eviction_reasons(global_steps, partition_id)
        if partition_id == TRAIN:
            sizes = Counter(map(_uid, self.partitions[partition_id]))
            failed = failed | {uid for uid in self.failure_keys[partition_id] if sizes[uid] < MIN_ROLLOUTS}
        return stale, filtered, failed, counts

    def _evict_terminal_groups(self, global_steps: int, partition_id: str, reasons: Any) -> Any:
        # the curriculum needs the filtered groups most: they show that a level is too easy or too hard
        filtered = reasons[1]
        if partition_id == TRAIN and filtered:
            self._filtered_groups |= _read_groups([key for key in self.partitions[partition_id] if _uid(key) in filtered])
        self._lost_groups += len(reasons[2])
        if self._lost_groups > self._max_lost_groups:
            raise RuntimeError(
                f"{self._lost_groups} groups of this step have lost their rollouts: the reward service does not answer, or "
                "videos cannot be read; see the workers' log"
            )
        return super()._evict_terminal_groups(global_steps, partition_id, reasons)

    def _dapo_filtered_keys(self, partition_id: str) -> Any:
        # without this limit a step would never end when all groups are filtered, and the curriculum would not be updated
        if len(self._filtered_groups) >= self._max_filtered_groups:
            return set(), Counter()
        return super()._dapo_filtered_keys(partition_id)

    def _update_questions(self, groups: Iterable[Sequence[Rollout]]) -> dict[str, float]:
        questions = self.refill_fn.__self__.train_dataset.questions  # the verl trainer's dataset, in this process
        if not isinstance(questions, LiveQuestions):
            return {}
        metrics = {"data/seconds_waited": questions.seconds_waited - self._seconds_waited}
        self._seconds_waited = questions.seconds_waited
        rewards: dict[str, list[list[float]]] = defaultdict(list)
        performance: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for group in groups:
            scores = [rollout.scores["above_chance"] for rollout in group]
            rewards[group[0].portion].append(scores)
            performance[group[0].portion].append((group[0].level + fmean(scores), max(scores) > min(scores)))
        if questions.curriculum:
            metrics |= questions.curriculum.step(rewards)
        if questions.mixture:
            metrics |= questions.mixture.step(performance)
        return metrics


def portion_metrics(groups: Iterable[Sequence[Rollout]]) -> dict[str, float]:
    """Mean of each score, mean level, and the share of groups whose scores differ, by portion."""
    by_portion: dict[str, list[Sequence[Rollout]]] = defaultdict(list)
    for group in groups:
        by_portion[group[0].portion].append(group)
    metrics = {}
    for portion, members in sorted(by_portion.items()):
        for name in members[0][0].scores:
            metrics[f"portion/{portion}/{name}"] = fmean(rollout.scores[name] for group in members for rollout in group)
        metrics[f"portion/{portion}/level"] = fmean(group[0].level for group in members)
        deviations = [pstdev([rollout.scores["score"] for rollout in group]) for group in members]
        metrics[f"portion/{portion}/with_variance"] = fmean(deviation > 0 for deviation in deviations)
    return metrics


def _uid(key: str) -> str:
    """The prompt's uid, with which the key of each of its rollouts begins."""
    return key.split("_", maxsplit=1)[0]


def _read_groups(keys: Sequence[str], partition: str = TRAIN) -> dict[str, list[Rollout]]:
    """Read the rollouts with these keys from the transfer queue, grouped by their prompt's uid."""
    groups: dict[str, list[Rollout]] = defaultdict(list)
    data = tq.kv_batch_get(keys=list(keys), partition_id=partition, select_fields=["extra_info", "extra_fields"])
    for key, wrapped_info, wrapped_fields in zip(keys, data["extra_info"], data["extra_fields"], strict=True):
        info = getattr(wrapped_info, "data", wrapped_info)
        reward = getattr(wrapped_fields, "data", wrapped_fields)["reward_extra_info"]
        scores = {name: float(reward[name]) for name in _SCORES} | {"answered": float(reward["parsed"] != "")}
        groups[_uid(key)].append(Rollout(info["portion"], float(info["level"]), scores, info["metric"]))
    return groups
