"""Questions that are planned when training asks for them: none is stored, and none asked twice.

A question is a function of (seed, pass, index, level): the pass counts how often the list was gone through. Its videos are
rendered from its edit list by the process that runs its rollouts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Any

from dataset_builder.errors import BuildError, UnusableVideo
from dataset_builder.identity import digest
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.questions.dealing import Item, Unit
from dataset_builder.questions.job import Job, folder_job
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.questions.maker import QuestionMaker
from dataset_builder.questions.row import describe
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import Unsolvable, UsageError

from ..curriculum import Curriculum
from .question import to_verl

TRIED = 60  # videos for one place in the list
_PASS, _TRY = 10**12, 10**15  # no draw of one pass or try is one of another's
_WARMERS = 2  # threads that decode ahead


class LiveQuestions:
    """Plans questions from raw videos.

    Args:
        spec: what to ask; its difficulty is where the curriculum begins, or the level of all questions without one.
        videos: the folder of raw videos.
        cache: where sampled clips are kept.
        curriculum: moves the levels; None leaves them.
        ahead: so many places before they are asked for, videos are decoded in the background.
        wanted: refuses questions, as too long ones; another takes the place.
    """

    def __init__(
        self,
        spec: BuildSpec,
        videos: str,
        *,
        cache: ClipCache,
        curriculum: Curriculum | None = None,
        ahead: int = 64,
        wanted: Callable[[dict[str, Any]], bool] = lambda question: True,
    ) -> None:
        self._job, _ = folder_job(spec, videos, "train", cache)
        self.curriculum = curriculum
        self._wanted = wanted
        self._store = self._job.store()
        self._list = _shuffled(self._job)
        videos_found = [[source.name, source.fingerprint] for source in self._job.sources]
        self._digest = digest({**spec.to_dict(), "difficulty": None}, videos_found)  # a level changes no place in the list
        self._passes, self._last = 0, -1
        self._warm = _Warm(self._job, ahead)
        self._specs: dict[float, BuildSpec] = {}
        self.refused: Counter[str] = Counter()
        self.waited = 0.0  # seconds that callers waited for questions

    def __len__(self) -> int:
        return len(self._list)

    @property
    def portions(self) -> list[str]:
        return [portion.name for portion in self._job.spec.portions]

    def __getitem__(self, at: int) -> dict[str, Any]:
        if at <= self._last:
            self._passes += 1
        self._last = at
        self._warm.begin([self._list[(at + step) % len(self)].source for step in range(self._warm.ahead + 1)])
        start = time.perf_counter()
        try:
            return self._first(self._list[at])
        finally:
            self.waited += time.perf_counter() - start

    def _first(self, unit: Unit) -> dict[str, Any]:
        self._warm.wait(unit.source)
        [item] = unit.items
        portion = self.portions[item.portion]
        maker = QuestionMaker(self._spec(portion), self._job.sources, self._store)
        item = replace(item, index=item.index + self._passes * len(self))
        for attempt in range(TRIED):
            source = (unit.source + attempt) % len(self._job.sources)  # its own video first
            question = self._question(maker, item, source, item.draw + self._passes * _PASS + attempt * _TRY)
            if question is not None:
                return question
        raise BuildError(f"no video gives a question of {portion} at this level; refused: {dict(self.refused.most_common(3))}")

    def _question(self, maker: QuestionMaker, item: Item, source: int, draw: int) -> dict[str, Any] | None:
        try:
            planned = maker.draw(item, source, draw)
        except (Unsolvable, UnusableVideo, BuildError) as error:  # a video that is gone ends a build, but no training
            self.refused[str(error)] += 1
            return None
        row = describe(planned, maker.spec, "train")
        del row["extra_info"]["recipe"]  # it stands in the videos
        question = to_verl(row, LiveVideos.of(planned))
        if not self._wanted(question):
            self.refused["the prompt is too long"] += 1
            return None
        return question

    def _spec(self, portion: str) -> BuildSpec:
        if self.curriculum is None:
            return self._job.spec
        level = self.curriculum.level(portion)
        if level not in self._specs:
            self._specs[level] = replace(self._job.spec, difficulty=level)
        return self._specs[level]

    def close(self) -> None:
        """Stop decoding ahead."""
        self._warm.close()

    def state_dict(self) -> dict[str, Any]:
        levels = self.curriculum.state_dict() if self.curriculum else None
        return {"list": self._digest, "passes": self._passes, "last": self._last, "curriculum": levels}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another stopped.

        Raises:
            UsageError: if that one had another list of questions.
        """
        if state.get("list") != self._digest:
            raise UsageError(
                "the checkpoint is of other questions (videos, seed or preset); go on with those, or give another out="
            )
        self._passes, self._last = state["passes"], state["last"]
        if self.curriculum and state["curriculum"] is not None:
            self.curriculum.load_state_dict(state["curriculum"])


def _shuffled(job: Job) -> list[Unit]:
    """Every item as a unit of its own, in an order that depends on the seed alone."""
    units = [Unit(unit.source, (item,)) for unit in job.units() for item in unit.items]
    Random(f"order\0{job.spec.seed}").shuffle(units)
    return [Unit(unit.source, (replace(unit.items[0], index=at),)) for at, unit in enumerate(units)]


class _Warm:
    """Decodes videos before they are asked for, into the folder of kept clips."""

    def __init__(self, job: Job, ahead: int) -> None:
        self.ahead = ahead
        self._job = job
        self._pool = ThreadPoolExecutor(_WARMERS, thread_name_prefix="videossr-warm")
        self._stores = threading.local()
        self._begun: dict[int, Future[None]] = {}

    def begin(self, sources: list[int]) -> None:
        for at in sources:
            if at not in self._begun:
                self._begun[at] = self._pool.submit(self._decode, at)

    def wait(self, source: int) -> None:
        self._begun[source].result()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, at: int) -> None:
        store: ClipStore | None = getattr(self._stores, "store", None)
        if store is None:
            store = self._stores.store = self._job.store()
        with contextlib.suppress(UnusableVideo, BuildError):  # said where a question is asked of it
            store.clip(self._job.sources[at])
