"""Questions that are generated when training requests them. None is stored, and none is used twice.

A question is a function of (seed, epoch, index, level). Its videos are rendered from its edit list by the process that runs
its rollouts.
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

from .curriculum import Curriculum
from .mixture import Mixture, MixtureSettings
from .question import to_verl

MAX_ATTEMPTS = 60  # videos tried for one index
_EPOCH_STRIDE, _ATTEMPT_STRIDE = 10**12, 10**15  # offsets that give each epoch and attempt its own draw numbers
_PREFETCH_THREADS = 2


class LiveQuestions:
    """Generates questions from raw videos.

    Args:
        spec: which questions to generate. Without a curriculum all have its difficulty.
        videos: the folder of raw videos.
        cache: cache of sampled clips on disk.
        curriculum: sets the level of each portion; None uses the difficulty of `spec`.
        mixture: how the portions' weights move; None keeps those of `spec`.
        ahead: number of questions whose videos are decoded in advance, in the background.
        accepts: rejects a question by returning False, for example a too long one; another video is tried then.
    """

    def __init__(
        self,
        spec: BuildSpec,
        videos: str,
        *,
        cache: ClipCache,
        curriculum: Curriculum | None = None,
        mixture: MixtureSettings | None = None,
        ahead: int = 64,
        accepts: Callable[[dict[str, Any]], bool] = lambda question: True,
    ) -> None:
        self._job, _ = folder_job(spec, videos, "train", cache, at_once=True)
        self.curriculum = curriculum
        weights = {portion.name: portion.weight for portion in spec.mixture.portions}
        self.mixture = Mixture(mixture, weights) if mixture and len(weights) > 1 else None
        self._accepts = accepts
        self._store = self._job.store()
        self._units = _shuffled(self._job)
        videos_used = [[source.name, source.size] for source in self._job.sources]
        self._digest = digest({**spec.to_dict(), "difficulty": None}, videos_used)  # the order does not depend on the level
        self._epoch, self._last_index = 0, -1
        self._prefetcher = _Prefetcher(self._job, ahead)
        self.rejections: Counter[str] = Counter()  # number of failed attempts, by reason
        self.seconds_waited = 0.0  # total time that callers waited for questions

    def __len__(self) -> int:
        return len(self._units)

    @property
    def portions(self) -> list[str]:
        """Names of the portions."""
        return [portion.name for portion in self._job.spec.portions]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Generate a question. An index that does not increase starts the next epoch, with new questions.

        Raises:
            BuildError: if no video gives a question.
        """
        if index <= self._last_index:
            self._epoch += 1
        self._last_index = index
        offsets = range(self._prefetcher.ahead + 1)
        self._prefetcher.submit([self._units[(index + offset) % len(self)].source for offset in offsets])
        start = time.perf_counter()
        try:
            return self._generate(self._units[index])
        finally:
            self.seconds_waited += time.perf_counter() - start

    def _generate(self, unit: Unit) -> dict[str, Any]:
        self._prefetcher.wait(unit.source)
        [item] = unit.items
        item = replace(item, index=item.index + self._epoch * len(self))
        if self.mixture:  # the index, which no other question has, is the draw, as another portion's draws may be taken
            name = self.mixture.pick(Random(f"portion\0{self._job.spec.seed}\0{item.index}"))
            item = replace(item, portion=self.portions.index(name), draw=item.index)
        portion = self.portions[item.portion]
        maker = QuestionMaker(self._spec(portion, item.index), self._job.sources, self._store)
        for attempt in range(MAX_ATTEMPTS):
            source = (unit.source + attempt) % len(self._job.sources)  # the item's own video first
            draw = item.draw + self._epoch * _EPOCH_STRIDE + attempt * _ATTEMPT_STRIDE
            question = self._try_video(maker, item, source, draw)
            if question is not None:
                return question
        reasons = dict(self.rejections.most_common(3))
        raise BuildError(f"no video gives a question of {portion} at this level; most common reasons: {reasons}")

    def _try_video(self, maker: QuestionMaker, item: Item, source: int, draw: int) -> dict[str, Any] | None:
        try:
            planned = maker.draw(item, source, draw)
        except (Unsolvable, UnusableVideo, BuildError) as error:  # a missing video stops a build, but must not stop training
            self.rejections[str(error)] += 1
            return None
        row = describe(planned, maker.spec, "train")
        del row["extra_info"]["recipe"]  # the video references hold it
        question = to_verl(row, LiveVideos.of(planned))
        if not self._accepts(question):
            self.rejections["the prompt is too long"] += 1
            return None
        return question

    def _spec(self, portion: str, index: int) -> BuildSpec:
        """The build spec with the current level of the portion's question."""
        if self.curriculum is None:
            return self._job.spec
        return replace(self._job.spec, difficulty=self.curriculum.question_level(portion, index))

    def close(self) -> None:
        """Stop the background decoding."""
        self._prefetcher.close()

    def state_dict(self) -> dict[str, Any]:
        """Epoch, position, curriculum and mixture, for a checkpoint."""
        levels = self.curriculum.state_dict() if self.curriculum else None
        weights = self.mixture.state_dict() if self.mixture else None
        state = {"list": self._digest, "passes": self._epoch, "last": self._last_index}
        return {**state, "curriculum": levels, "mixture": weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a checkpoint.

        Raises:
            UsageError: if the checkpoint is of other questions.
        """
        if state.get("list") != self._digest:
            raise UsageError(
                "the checkpoint is of other questions (videos, seed or preset); use the same ones, or choose another out="
            )
        self._epoch, self._last_index = state["passes"], state["last"]
        if self.curriculum and state["curriculum"] is not None:
            self.curriculum.load_state_dict(state["curriculum"])
        if self.mixture and state.get("mixture") is not None:
            self.mixture.load_state_dict(state["mixture"])


def _shuffled(job: Job) -> list[Unit]:
    """One unit per item, in an order that depends only on the seed."""
    units = [Unit(unit.source, (item,)) for unit in job.units() for item in unit.items]
    Random(f"order\0{job.spec.seed}").shuffle(units)
    return [Unit(unit.source, (replace(unit.items[0], index=index),)) for index, unit in enumerate(units)]


class _Prefetcher:
    """Decodes videos into the clip cache before they are needed, each once. Videos are indices into the job's sources."""

    def __init__(self, job: Job, ahead: int) -> None:
        self.ahead = ahead
        self._job = job
        self._pool = ThreadPoolExecutor(_PREFETCH_THREADS, thread_name_prefix="videossr-prefetch")
        self._thread_local = threading.local()
        self._futures: dict[int, Future[None]] = {}

    def submit(self, sources: list[int]) -> None:
        for source in sources:
            if source not in self._futures:
                self._futures[source] = self._pool.submit(self._decode, source)

    def wait(self, source: int) -> None:
        self._futures[source].result()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, source: int) -> None:
        store: ClipStore | None = getattr(self._thread_local, "store", None)
        if store is None:
            store = self._thread_local.store = self._job.store()
        with contextlib.suppress(UnusableVideo, BuildError):  # the error is raised again when a question is generated
            store.clip(self._job.sources[source])
