"""A build's files: what each of them holds, and the making of one, which may be repeated by anybody at any time.

A shard is written aside and renamed, and carries a digest of all that it depends on: so it is there whole, or not at all,
and is made anew if anything behind it changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..identity import digest
from ..questions.dealing import Item, Unit
from ..questions.identity import dataset_id
from ..questions.job import Job, make_rows
from ..questions.report import Report
from .folder import Folder

ROWS_PER_SHARD = 100
ROWS_PER_GROUP = 25  # some 15 MB: what the Hub's viewer reads at once
DATA = "data"
_METADATA = b"videossr"


@dataclass(frozen=True)
class Shard:
    """One file of the build, `data/train-0000i-of-0000n.parquet`."""

    name: str
    units: tuple[Unit, ...]
    digest: str

    @property
    def items(self) -> int:
        """How many items it holds; as many rows, unless some give no question."""
        return sum(len(unit.items) for unit in self.units)

    def cost(self, job: Job) -> int:
        """About how long it takes, in no unit: the length of its videos, of each as often as it is used."""
        return sum(job.sources[unit.source].pixels or 0 for unit in self.units)


def plan_shards(job: Job) -> list[Shard]:
    """Cut the job into shards of so many items; the same for any number of workers."""
    pieces = list(_cut(job.units(), ROWS_PER_SHARD))
    uses_donors = any(portion.task.wants_donor(portion.params) for portion in job.spec.portions)
    shared_id = dataset_id(job.spec, {job.split: job.sources}) if uses_donors else ""
    shards = []
    for number, units in enumerate(pieces):
        name = f"{DATA}/{job.split}-{number:05d}-of-{len(pieces):05d}.parquet"
        own_id = shared_id or dataset_id(job.spec, {job.split: [job.sources[source] for source in _sources(units)]})
        items = [_description(job, unit.source, item) for unit in units for item in unit.items]
        shards.append(Shard(name, units, digest(own_id, items)))
    return shards


def _description(job: Job, source: int, item: Item) -> list[Any]:
    """An item in words that do not depend on how many sources there are."""
    names = [job.sources[each].name for each in (source, *item.alternatives)]
    return [item.index, item.portion, item.draw, names]


def _sources(units: Sequence[Unit]) -> list[int]:
    """Every source that may give one of these units' questions."""
    return sorted({source for unit in units for item in unit.items for source in (unit.source, *item.alternatives)})


def _cut(units: Sequence[Unit], rows: int) -> Iterator[tuple[Unit, ...]]:
    piece: list[Unit] = []
    room = rows
    for unit in units:
        items = unit.items
        while items:
            piece.append(replace(unit, items=items[:room]))
            taken, items = len(items[:room]), items[room:]
            room -= taken
            if room == 0:
                yield tuple(piece)
                piece, room = [], rows
    if piece:
        yield tuple(piece)


def by_cost(shards: Sequence[Shard], job: Job) -> list[Shard]:
    """The most costly first, so that none of them is left for the end; those of one video, which is decoded once, apart."""
    seen: Counter[int] = Counter()
    turns = {}
    for shard in shards:
        first = shard.units[0].source
        turns[shard.name] = seen[first]
        seen[first] += 1
    return sorted(shards, key=lambda shard: (turns[shard.name], -shard.cost(job)))


def make_shard(
    shard: Shard, job: Job, folder: Folder, schema: pa.Schema, count: Callable[[int], None] = lambda rows: None
) -> Report:
    """Make one shard unless it is there; safe to repeat, and to race with another process.

    Args:
        schema: `features(…).arrow_schema`, which tells datasets what the columns are.
        count: called with the items worked off since the last call.
    """
    report = finished_report(shard, folder)
    if report is not None:
        count(shard.items)
        return report
    report = Report()
    with (
        folder.writing(shard.name) as path,
        # pictures do not get smaller by compression
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
    """The report of a shard that stands complete and up to date; else None."""
    try:
        with folder.open(shard.name) as file:
            stored = pq.read_metadata(file).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    metadata = json.loads((stored or {}).get(_METADATA, b"{}"))
    return Report.from_dict(metadata["report"]) if metadata.get("digest") == shard.digest else None
