"""Makes shards on a Ray cluster: each is a Ray Data task, which may run on any node and may be retried."""

from __future__ import annotations

import json
import logging
import pickle
import platform
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, cast

import pyarrow as pa
import ray
import ray.data
from ray.exceptions import RayError

from ..errors import BuildError
from ..identity import codec_versions
from ..progress import Progress
from ..questions.identity import row_code_digest
from ..questions.job import Job
from ..questions.report import Report
from ..questions.row import features
from ..sources.identify import read_contents
from ..sources.read import read_content
from ..sources.source import Content, Source
from ..sources.stores import StorageOptions
from .folder import Folder
from .shards import Shard, by_cost, make_shard

VIDEOS_PER_READ = 64
VALUES_PER_RUN = 10_000  # that Ray Data holds at a time, as it keeps each in the driver's memory


class RayEngine:
    """A Ray cluster.

    Args:
        shards_at_a_time: 1 for one per CPU of the cluster.
        address: `auto` for the cluster of this machine; None starts one here. Ignored if Ray is already connected.

    Raises:
        BuildError: if there is no cluster at the address.
    """

    wants_length = True

    def __init__(self, shards_at_a_time: int = 1, address: str | None = None) -> None:
        self._shards_at_a_time = shards_at_a_time if shards_at_a_time > 1 else None
        try:
            if address and (parts := re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address)):  # Ray would retry for minutes
                socket.create_connection((parts[1], int(parts[2])), timeout=5).close()
            ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise BuildError(f"there is no Ray cluster at address={address!r}: {error}") from None
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False

    def read_contents(self, sources: Sequence[Source], with_length: bool, options: StorageOptions | None) -> Iterable[Content]:
        """Reads many sources on the cluster, few in this process."""
        if len(sources) <= VIDEOS_PER_READ:
            return read_contents(sources, with_length, options)
        batches = [list(sources[start : start + VIDEOS_PER_READ]) for start in range(0, len(sources), VIDEOS_PER_READ)]
        contents = dict(_map(batches, _Reader, (with_length, options), None))
        return [Content(*values) for k in range(len(batches)) for values in contents[k]]

    def make_shards(self, shards: Sequence[Shard], job: Job, folder: Folder, progress: Progress) -> Iterator[Report]:
        ordered = by_cost(shards, job)
        schema = features(job.spec.video_format).arrow_schema
        shared = _Shared(job, folder, schema, row_code_digest(), codec_versions())
        total = sum(shard.items for shard in shards)
        done = 0
        progress(done, total)
        for place, report in _map(ordered, _Maker, shared, self._shards_at_a_time):
            yield Report.from_dict(report)
            done += ordered[place].items
            progress(done, total)


@dataclass(frozen=True)
class _Shared:
    """What every worker needs."""

    job: Job
    folder: Folder
    schema: pa.Schema
    code: str
    codecs: dict[str, str]

    def check(self) -> None:
        """Raise BuildError if this worker's code or codecs differ: they would silently make other rows."""
        if (self.code, self.codecs) != (row_code_digest(), codec_versions()):
            raise BuildError(
                f"a worker has other versions: code {row_code_digest()}, {codec_versions()}; "
                f"here: {self.code}, {self.codecs}; install the same everywhere"
            )


class _Worker:
    """A worker process of the cluster."""

    def __init__(self, shared: Any) -> None:
        self._shared: Any = ray.get(shared)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            value, fault = self.result(pickle.loads(row["value"])), ""
        except (BuildError, OSError) as error:  # returned as a value: Ray would wrap it in pages of traceback
            value, fault = None, f"{error} (on {platform.node()})"
        return {"place": row["place"], "value": json.dumps(value), "fault": fault}

    def result(self, value: Any) -> Any:
        raise NotImplementedError


class _Reader(_Worker):
    def result(self, value: list[Source]) -> list[Any]:
        with_length, options = self._shared
        return [astuple(read_content(source, with_length, options)) for source in value]


class _Maker(_Worker):
    def result(self, value: Shard) -> dict[str, Any]:
        shared: _Shared = self._shared
        shared.check()
        return make_shard(value, shared.job, shared.folder, shared.schema).to_dict()


def _map(values: Sequence[Any], worker: type[_Worker], shared: Any, at_a_time: int | None) -> Iterator[tuple[int, Any]]:
    """(index of the value, result), as they finish. If a worker dies, another redoes its values.

    Raises:
        BuildError: if a worker reports an error, or the cluster is lost.
    """
    cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    workers, given = min(len(values), at_a_time or cpus), ray.put(shared)
    try:
        for start in range(0, len(values), VALUES_PER_RUN):
            run = values[start : start + VALUES_PER_RUN]
            rows = [{"place": place, "value": pickle.dumps(value)} for place, value in enumerate(run, start)]
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
            for row in dataset.map(cast(Any, worker), fn_constructor_args=(given,), concurrency=workers).iter_rows():
                if row["fault"]:
                    raise BuildError(row["fault"])
                yield row["place"], json.loads(row["value"])
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        raise BuildError(f"the cluster failed: {str(cause).strip().splitlines()[-1]}") from error
