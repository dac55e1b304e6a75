"""A build on a Ray cluster: each shard is a task of Ray Data, which may run anywhere, and be run again."""

from __future__ import annotations

import json
import logging
import pickle
import platform
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, cast

import pyarrow as pa
import ray
import ray.data
from ray.exceptions import RayError

from .errors import BuildError
from .identity import code_digest, codec_versions
from .progress import Progress
from .schema import features
from .shards import Shard, in_good_order, make_shard
from .sources import Content, Source, read_content
from .sources import read_contents as read_here
from .target import Target
from .work import Work

READ_TOGETHER = 64  # videos


def connect(address: str | None) -> None:
    """Connect to a cluster, or start one here for None; stay with the one that is connected to.

    Raises:
        BuildError: if there is none at the address.
    """
    try:
        if address and (found := re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address)):  # Ray itself would try for minutes
            socket.create_connection((found[1], int(found[2])), timeout=5).close()
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise BuildError(f"there is no Ray cluster at address={address!r}: {error}") from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def read_contents(sources: Sequence[Source], with_length: bool) -> Iterable[Content]:
    """`sources.read_contents`, by the cluster's workers if there are many."""
    if len(sources) <= READ_TOGETHER:
        return read_here(sources, with_length)
    pieces = [list(sources[at : at + READ_TOGETHER]) for at in range(0, len(sources), READ_TOGETHER)]
    found: dict[int, list[Content]] = {}
    for at, contents in _map(pieces, _Reader, with_length, None):
        found[at] = [Content(*values) for values in contents]
    return [one for at in range(len(pieces)) for one in found[at]]


def make_shards(
    shards: Sequence[Shard],
    work: Work,
    target: Target,
    at_a_time: int,
    progress: Progress,
    add: Callable[[dict[str, Any]], None],
) -> None:
    """Make shards on the cluster, the most costly first; `add` gets the report of each as it is done."""
    ordered = in_good_order(shards, work)
    schema = features(work.spec.video_format).arrow_schema
    shared = _Shared(work, target, schema, code_digest(), codec_versions())
    total = sum(shard.items for shard in shards)
    done = 0
    progress(done, total)
    for at, report in _map(ordered, _Maker, shared, at_a_time if at_a_time > 1 else None):
        add(report)
        done += ordered[at].items
        progress(done, total)


@dataclass(frozen=True)
class _Shared:
    """What all workers need."""

    work: Work
    target: Target
    schema: pa.Schema
    code: str
    codecs: dict[str, str]

    def check(self) -> None:
        """Other code or codecs would make other rows, unnoticed."""
        if (self.code, self.codecs) != (code_digest(), codec_versions()):
            raise BuildError(
                f"a worker has other versions: code {code_digest()}, {codec_versions()}; "
                f"here: {self.code}, {self.codecs}; install the same everywhere"
            )


class _Worker:
    """One of the cluster's processes."""

    def __init__(self, shared: Any) -> None:
        self._shared: Any = ray.get(shared)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            value, fault = self.result(pickle.loads(row["value"])), ""
        except (BuildError, OSError) as error:  # told as a value: Ray would wrap it in pages of its own
            value, fault = None, f"{error} (on {platform.node()})"
        return {"at": row["at"], "value": json.dumps(value), "fault": fault}

    def result(self, value: Any) -> Any:
        raise NotImplementedError


class _Reader(_Worker):
    def result(self, value: list[Source]) -> list[Any]:
        with_length: bool = self._shared
        return [astuple(read_content(source, with_length)) for source in value]


class _Maker(_Worker):
    def result(self, value: Shard) -> dict[str, Any]:
        shared: _Shared = self._shared
        shared.check()
        return make_shard(value, shared.work, shared.target, shared.schema)


def _map(values: Sequence[Any], worker: type[_Worker], shared: Any, at_a_time: int | None) -> Iterator[tuple[int, Any]]:
    """(place, result) of each value, as they are done; what a worker had that dies is done again by another.

    Raises:
        BuildError: if a worker fails by itself, or the cluster is lost.
    """
    processors = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    workers = min(len(values), at_a_time or processors)
    rows = [{"at": at, "value": pickle.dumps(value)} for at, value in enumerate(values)]
    asked = ray.data.from_items(rows, override_num_blocks=len(rows))
    made = asked.map(cast(Any, worker), fn_constructor_args=(ray.put(shared),), concurrency=workers)
    try:
        for row in made.iter_rows():
            if row["fault"]:
                raise BuildError(row["fault"])
            yield row["at"], json.loads(row["value"])
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        raise BuildError(f"the cluster failed: {str(cause).strip().splitlines()[-1]}") from error
