"""Group statistics by run, task and level, as running sums: a look costs what it shows, not what was seen."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Any

from .rollout import Rollout

BINS = 20
MAX_RUNS = 50  # those with the newest groups
MAX_GROUP_SIZE = 1024  # rollouts; a group that is full is followed by another
MAX_ANSWERS = 4096  # different answers that are counted for each level; of more, the rare ones are dropped
ZERO_VARIANCE_EPS = 1e-9  # a group whose scores differ by less has no gradient
VARIANCE_EPS = 1e-12  # a smaller variance is a rounding error of the sums


@dataclass(slots=True)
class _Group:
    ids: set[int] = field(default_factory=set)
    size: int = 0
    hits: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = inf
    high: float = -inf

    def add(self, rollout: Rollout) -> None:
        score = rollout.score
        self.size += 1
        self.hits += rollout.exact == 1
        self.total += score
        self.squares += score * score
        self.low, self.high = min(self.low, score), max(self.high, score)


@dataclass(slots=True)
class _Level:
    """The sums over all rollouts and groups of one run, task and level."""

    rollouts: int = 0
    total: float = 0.0
    squares: float = 0.0
    exact: float = 0.0
    unparseable: int = 0
    blind: int = 0
    blind_known: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    answers: Counter[str] = field(default_factory=Counter)
    within: float = 0.0  # squared distances from the means of their groups
    flat: int = 0  # groups without variance
    hits: Counter[tuple[int, int]] = field(default_factory=Counter)  # groups by size and hits

    def add(self, rollout: Rollout) -> None:
        """Add a rollout, without its group."""
        score = rollout.score
        self.rollouts += 1
        self.total += score
        self.squares += score * score
        self.exact += rollout.exact
        self.blind += bool(rollout.blind)
        self.blind_known += rollout.blind is not None
        self.histogram[min(BINS - 1, max(0, int(score * BINS)))] += 1
        self.unparseable += not rollout.parsed
        if rollout.parsed:
            self.answers[rollout.parsed] += 1
            if len(self.answers) > MAX_ANSWERS:
                self.answers = Counter(dict(self.answers.most_common(MAX_ANSWERS // 4)))

    def count_group(self, group: _Group, sign: int) -> None:
        """Add a group to the sums, or take out what it contributed before it grew."""
        if group.size:
            self.within += sign * (group.squares - group.total * group.total / group.size)
        if group.size > 1:
            self.flat += sign * (group.high - group.low < ZERO_VARIANCE_EPS)
            self.hits[group.size, group.hits] += sign
            if not self.hits[group.size, group.hits]:
                del self.hits[group.size, group.hits]

    def summary(self) -> dict[str, Any]:
        hits: dict[str, list[int]] = {}
        for (size, count), number in sorted(self.hits.items()):
            hits.setdefault(str(size), [0] * (size + 1))[count] = number
        groups, mean = self.hits.total(), self.total / self.rollouts
        [(answer, times)] = self.answers.most_common(1) or [("", 0)]
        return {
            "rollouts": self.rollouts,
            "groups": groups,
            "mean": mean,
            "std": _std(self.squares / self.rollouts - mean * mean),
            "within_group_std": _std(self.within / self.rollouts),
            "exact": self.exact / self.rollouts,
            "zero_variance": _ratio(self.flat, groups),
            "zero_variance_strict": _ratio(sum(counts[0] + counts[-1] for counts in hits.values()), groups),
            "unparseable": self.unparseable / self.rollouts,
            "blind": _ratio(self.blind, self.blind_known),
            "top_answer": answer,
            "top_answer_share": _ratio(times, self.rollouts - self.unparseable),
            "hits": hits,
            "histogram": list(self.histogram),
        }


class Statistics:
    """Statistics of one process, in bounded memory: the newest `max_groups` groups accept rollouts, older ones are sums.

    A rollout id counts once in a group.
    """

    def __init__(self, max_groups: int) -> None:
        self._max_groups = max_groups
        self._groups: OrderedDict[tuple[str, str, str], tuple[_Level, _Group]] = OrderedDict()
        self._runs: dict[str, dict[tuple[str, str], _Level]] = {}

    def add(self, rollouts: Iterable[Rollout]) -> None:
        """Count rollouts."""
        for rollout in rollouts:
            key = (rollout.run, rollout.task, rollout.group)
            level, group = self._groups.get(key, (None, None))
            if level is None or group is None or group.size >= MAX_GROUP_SIZE:
                run = self._runs[rollout.run] = self._runs.pop(rollout.run, {})  # the newest last
                if len(self._runs) > MAX_RUNS:
                    del self._runs[next(iter(self._runs))]
                level, group = run.setdefault((rollout.task, rollout.level), _Level()), _Group()
                self._groups[key] = level, group
                if len(self._groups) > self._max_groups:
                    self._groups.popitem(last=False)
            if rollout.id is not None:
                if (number := hash(rollout.id)) in group.ids:
                    continue
                group.ids.add(number)
            level.add(rollout)
            level.count_group(group, -1)
            group.add(rollout)
            level.count_group(group, 1)

    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """`{run: {task: {level: {…}}}}`, the newest run first: mean, spread, groups without variance, hits in a group, answers."""
        runs: dict[str, dict[str, dict[str, Any]]] = {}
        for run, levels in reversed(self._runs.items()):
            for (task, level), sums in sorted(levels.items()):
                runs.setdefault(run, {}).setdefault(task, {})[level] = sums.summary()
        return runs


def _std(variance: float) -> float:
    return sqrt(variance) if variance > VARIANCE_EPS else 0.0


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
