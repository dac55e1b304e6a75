"""Engines run the work of a build: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ..progress import Progress
from ..questions.job import Job
from ..questions.report import Report
from ..sources.source import Content, Source
from ..sources.stores import StorageOptions
from ..tasks import UsageError
from .folder import Folder
from .shards import Shard

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Reads the contents of videos, and makes shards."""

    @property
    def wants_length(self) -> bool:
        """Whether `read_contents` should read lengths too, to balance the work."""

    def read_contents(
        self, sources: Sequence[Source], with_length: bool, options: StorageOptions | None
    ) -> Iterable[Content]: ...

    def make_shards(self, shards: Sequence[Shard], job: Job, folder: Folder, progress: Progress) -> Iterator[Report]:
        """Make shards; yields the report of each as it finishes.

        Args:
            progress: called with (items finished, items in all).

        Raises:
            BuildError: if a worker died, or the cluster is lost.
        """


def make_engine(name: str, workers: int = 1, address: str | None = None) -> Engine:
    """The engine of this name.

    Args:
        workers: number of processes; with Ray, number of shards at a time, 1 for one per CPU of the cluster.
        address: of the Ray cluster, `auto` for the one of this machine; None starts one here.

    Raises:
        UsageError: for an unknown name or a wrong number.
        BuildError: if there is no cluster at the address.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise UsageError(f"workers={workers!r} is not allowed; allowed: an integer from 1")
    if name == "local":
        from .local_engine import LocalEngine

        return LocalEngine(workers)
    if name == "ray":
        from .ray_engine import RayEngine

        return RayEngine(workers, address)
    raise UsageError(f"engine={name!r} is unknown; allowed: {', '.join(ENGINES)}")
