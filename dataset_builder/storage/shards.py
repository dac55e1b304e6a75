"""A build's shards: plans them and makes them. Making a shard is safe to repeat at any time.

A shard is written under a temporary name and renamed, so it is complete or absent. It carries a digest of everything it depends
on, and is made again if that has changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..identity import digest
from ..questions.dealing import Deal, Item, Unit
from ..questions.identity import dataset_id
from ..questions.job import Job, make_rows
from ..questions.report import Report
from .folder import Folder

ROWS_PER_SHARD = 100
ROWS_PER_GROUP = 25  # about 15 MB: what the Hub's viewer reads at once
DATA = "data"
_METADATA = b"videossr"


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the build, `data/train-0000i-of-0000n.parquet`: the items from `start` to `stop`.

    It holds no items, of which a large build has more than fit in memory.
    """

    name: str
    deal: Deal
    start: int
    stop: int
    digest: str = ""

    @property
    def units(self) -> list[Unit]:
        """Its items by source; the first and the last unit may be parts of a source's."""
        return list(self.deal.between(self.start, self.stop))

    @property
    def items(self) -> int:
        """Number of items; the number of rows is smaller if some give no question."""
        return self.stop - self.start

    def cost(self, job: Job) -> int:
        """Rough cost of making it: the total length of the videos to decode."""
        return sum(job.sources[source].pixels or 0 for source in self.deal.sources_between(self.start, self.stop))


def plan_shards(job: Job) -> list[Shard]:
    """Cut the job into shards of ROWS_PER_SHARD items, the same for any number of workers."""
    units = job.units()
    starts = range(0, units.items, ROWS_PER_SHARD)
    uses_donors = any(portion.task.wants_donor(portion.params) for portion in job.spec.portions)
    shared_id = dataset_id(job.spec, {job.split: job.sources}) if uses_donors else ""
    shards = []
    for number, start in enumerate(starts):
        name = f"{DATA}/{job.split}-{number:05d}-of-{len(starts):05d}.parquet"
        shard = Shard(name, units, start, min(start + ROWS_PER_SHARD, units.items))
        shards.append(replace(shard, digest=_digest(shard, job, shared_id)))
    return shards


def _digest(shard: Shard, job: Job, shared_id: str) -> str:
    units = shard.units
    shard_id = shared_id or dataset_id(job.spec, {job.split: [job.sources[source] for source in _sources(units)]})
    return digest(shard_id, [_describe(job, unit.source, item) for unit in units for item in unit.items])


def _describe(job: Job, source: int, item: Item) -> list[Any]:
    """An item as plain values, with sources by name, so that it does not depend on the number of sources."""
    names = [job.sources[index].name for index in (source, *item.alternatives)]
    return [item.index, item.portion, item.draw, names]


def _sources(units: Sequence[Unit]) -> list[int]:
    """Every source that may give a question of these units."""
    return sorted({source for unit in units for item in unit.items for source in (unit.source, *item.alternatives)})


def by_cost(shards: Sequence[Shard], job: Job) -> list[Shard]:
    """Most costly first, so that none is left for the end; shards of one video apart, so that the first caches its clip."""
    counts: Counter[int] = Counter()  # shards so far, by their first video
    turns = {}
    for shard in shards:
        first = shard.deal.sources_between(shard.start, shard.stop)[0]
        turns[shard.name] = counts[first]
        counts[first] += 1
    return sorted(shards, key=lambda shard: (turns[shard.name], -shard.cost(job)))


def make_shard(
    shard: Shard, job: Job, folder: Folder, schema: pa.Schema, count: Callable[[int], None] = lambda rows: None
) -> Report:
    """Make one shard unless it exists; safe to repeat, and to race with another process.

    Args:
        schema: `features(…).arrow_schema`, which includes the column types for datasets.
        count: called with the number of items finished since the last call.
    """
    report = finished_report(shard, folder)
    if report is not None:
        count(shard.items)
        return report
    report = Report()
    with (
        folder.writing(shard.name) as path,
        # JPEG and H.264 data does not compress further
        pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as writer,
    ):
        group: list[dict[str, Any]] = []
        for row in make_rows(shard.units, job, report):
            group.append(row)
            count(1)
            if len(group) == ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
        metadata = {"digest": shard.digest, "report": report.to_dict()}
        writer.add_key_value_metadata({_METADATA: json.dumps(metadata).encode()})
    return report


def finished_report(shard: Shard, folder: Folder) -> Report | None:
    """The report of a shard that is complete and up to date; else None."""
    try:
        with folder.open(shard.name) as file:
            stored = pq.read_metadata(file).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    metadata = json.loads((stored or {}).get(_METADATA, b"{}"))
    return Report.from_dict(metadata["report"]) if metadata.get("digest") == shard.digest else None
