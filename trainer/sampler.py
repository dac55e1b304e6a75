"""verl's replay buffer, which also tells the curriculum what groups were rewarded with.

trainer.v1.sampler.custom_sampler.path=pkg://trainer.sampler
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

from .data.live import LiveQuestions

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
FEWEST = 2  # rollouts of a group with rewards: one has nothing to differ from, and GRPO would take its reward for an advantage
_SCORES = ("score", "exact", "above_chance")


@dataclass(frozen=True)
class Rollout:
    """What is remembered of one."""

    portion: str
    level: float
    scores: dict[str, float]


class RewardedSampler(ReplayBuffer):  # type: ignore[misc]
    """verl's synchronous sampling and filtering, with metrics by portion.

    verl gives a custom sampler none of its own filter's settings, so they stand in `trainer.v1.sampler.sampler_kwargs`:
    `filter_groups_metric` (`exact` leaves out groups whose strict values are all equal; null for none), `train_batch_size`,
    `max_inflight_gen_batches`, `poll_interval` (seconds), `rollouts` (of a group); and, in batches a step, `most_lost`: groups
    that have lost their rewards, after which training stops, and `most_left_out`: groups without differences, after which such
    groups are taken.

    Raises:
        RuntimeError: if so many groups are lost.
    """

    def __init__(self, **given: Any) -> None:
        own = dict(given["sampler_kwargs"])
        super().__init__(
            **given,
            poll_interval=own.get("poll_interval", 0.2),
            filter_groups_metric=own.get("filter_groups_metric"),
            train_batch_size=own["train_batch_size"],
            gen_batch_size=1,
            max_inflight_gen_batches=own.get("max_inflight_gen_batches", 1),
            sync_refill_failed_groups=True,
        )
        self._left_out: dict[str, list[Rollout]] = {}
        self._lost, self._waited = 0, 0.0
        self._most_lost = own.get("most_lost", 4) * own["train_batch_size"]
        self._most_left_out = own.get("most_left_out", 4) * own["train_batch_size"]
        self._rollouts = own["rollouts"]

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, Any]]:
        self._lost = 0
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        if partition_id == TRAIN:
            taken = _read(batch.keys)
            groups = taken | self._left_out
            self._left_out = {}
            metrics["rollouts/lost"] = sum(self._rollouts - len(group) for group in taken.values())
            metrics["groups/lost"] = self._lost
            metrics |= portion_metrics(groups.values())
            metrics |= self._tell(groups.values())
        return batch, metrics

    def _terminal_eviction_reasons(self, global_steps: int, partition_id: str) -> Any:
        stale, filtered, failed, counts = super()._terminal_eviction_reasons(global_steps, partition_id)
        if partition_id == TRAIN:
            left = Counter(map(_uid, self.partitions[partition_id]))
            failed = failed | {uid for uid in self.failure_keys[partition_id] if left[uid] < FEWEST}
        return stale, filtered, failed, counts

    def _evict_terminal_groups(self, global_steps: int, partition_id: str, reasons: Any) -> Any:
        # groups that the filter leaves out are the ones that the curriculum has most to learn from
        filtered = reasons[1]
        if partition_id == TRAIN and filtered:
            self._left_out |= _read([key for key in self.partitions[partition_id] if _uid(key) in filtered])
        self._lost += len(reasons[2])
        if self._lost > self._most_lost:
            raise RuntimeError(
                f"{self._lost} groups of this step have lost their rollouts: the reward service does not answer, or videos "
                "cannot be read; the workers' log says which"
            )
        return super()._evict_terminal_groups(global_steps, partition_id, reasons)

    def _dapo_filtered_keys(self, partition_id: str) -> Any:
        # where all groups are alike, a step would never end, and the curriculum never learn of it
        if len(self._left_out) >= self._most_left_out:
            return set(), Counter()
        return super()._dapo_filtered_keys(partition_id)

    def _tell(self, groups: Iterable[Sequence[Rollout]]) -> dict[str, float]:
        questions = self.refill_fn.__self__.train_dataset.questions  # the trainer's, in this process
        if not isinstance(questions, LiveQuestions):
            return {}
        told = {"data/seconds_waited": questions.waited - self._waited}
        self._waited = questions.waited
        if questions.curriculum is None:
            return told
        rewards: dict[str, list[float]] = defaultdict(list)
        for group in groups:
            rewards[group[0].portion].append(fmean(one.scores["above_chance"] for one in group))
        return told | questions.curriculum.step(rewards)


def portion_metrics(groups: Iterable[Sequence[Rollout]]) -> dict[str, float]:
    """Means of the scores, the level, and the share of groups that have any variance, by portion."""
    by_portion: dict[str, list[Sequence[Rollout]]] = defaultdict(list)
    for group in groups:
        by_portion[group[0].portion].append(group)
    told = {}
    for portion, own in sorted(by_portion.items()):
        for name in own[0][0].scores:
            told[f"portion/{portion}/{name}"] = fmean(one.scores[name] for group in own for one in group)
        told[f"portion/{portion}/level"] = fmean(group[0].level for group in own)
        told[f"portion/{portion}/with_variance"] = fmean(pstdev([one.scores["score"] for one in group]) > 0 for group in own)
    return told


def _uid(key: str) -> str:
    return key.split("_", maxsplit=1)[0]


def _read(keys: Sequence[str]) -> dict[str, list[Rollout]]:
    """What these trajectories were rewarded with, by their prompt's uid."""
    groups: dict[str, list[Rollout]] = defaultdict(list)
    data = tq.kv_batch_get(keys=list(keys), partition_id=TRAIN, select_fields=["extra_info", "extra_fields"])
    for key, info, extra in zip(keys, data["extra_info"], data["extra_fields"], strict=True):
        asked, told = getattr(info, "data", info), getattr(extra, "data", extra)["reward_extra_info"]
        scores = {name: float(told[name]) for name in _SCORES} | {"answered": float(told["parsed"] != "")}
        groups[_uid(key)].append(Rollout(asked["portion"], float(asked["level"]), scores))
    return groups
