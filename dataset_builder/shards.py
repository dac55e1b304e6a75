"""A build's files: what each of them holds, and the making of one, which may be repeated by anybody at any time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .dealing import Item, Unit
from .identity import dataset_id, digest
from .report import Report
from .target import Target
from .work import Work, make_rows

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
        return sum(len(unit.items) for unit in self.units)

    def cost(self, work: Work) -> int:
        """About how long it takes, in no unit: the length of its videos, of each as often as it is used."""
        return sum(work.sources[unit.source].pixels or 0 for unit in self.units)


def plan_shards(work: Work) -> list[Shard]:
    """Cut the work into shards of so many items; the same for any number of workers."""
    pieces = list(_cut(work.units(), ROWS_PER_SHARD))
    uses_donors = any(portion.task.wants_donor(portion.params) for portion in work.spec.portions)
    of_all = dataset_id(work.spec, {work.split: work.sources}) if uses_donors else ""
    shards = []
    for number, units in enumerate(pieces):
        name = f"{DATA}/{work.split}-{number:05d}-of-{len(pieces):05d}.parquet"
        of_these = of_all or dataset_id(work.spec, {work.split: [work.sources[at] for at in _involved(units)]})
        items = [_told(work, unit.source, item) for unit in units for item in unit.items]
        shards.append(Shard(name, units, digest(of_these, items)))
    return shards


def _told(work: Work, source: int, item: Item) -> list[Any]:
    """An item in words that do not depend on how many sources there are."""
    offered = [work.sources[at].name for at in (source, *item.others)]
    return [item.index, item.portion, item.draw, offered]


def _involved(units: Sequence[Unit]) -> list[int]:
    """Every source that may give one of these units' questions."""
    return sorted({at for unit in units for item in unit.items for at in (unit.source, *item.others)})


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


def in_good_order(shards: Sequence[Shard], work: Work) -> list[Shard]:
    """The most costly first, so that none of them is left for the end; those of one video, which is decoded once, apart."""
    seen: Counter[int] = Counter()
    turns = {}
    for shard in shards:
        first = shard.units[0].source
        turns[shard.name] = seen[first]
        seen[first] += 1
    return sorted(shards, key=lambda shard: (turns[shard.name], -shard.cost(work)))


def make_shard(
    shard: Shard, work: Work, target: Target, schema: pa.Schema, count: Callable[[int], None] = lambda rows: None
) -> dict[str, Any]:
    """Make one shard unless it is there; safe to repeat, and to race with another process.

    Args:
        schema: `features(…).arrow_schema`, which tells datasets what the columns are.
        count: called with the rows worked off since the last call.

    Returns:
        Its report as plain values.
    """
    found = finished_report(shard, target)
    if found is not None:
        count(shard.items)
        return found
    report = Report()
    with (
        target.writing(shard.name) as path,
        # pictures do not get smaller by compression
        pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as writer,
    ):
        group: list[dict[str, Any]] = []
        for row in make_rows(shard.units, work, report):
            group.append(row)
            count(1)
            if len(group) == ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
        stored = {"digest": shard.digest, "report": report.to_dict()}
        writer.add_key_value_metadata({_METADATA: json.dumps(stored).encode()})
    return report.to_dict()


def finished_report(shard: Shard, target: Target) -> dict[str, Any] | None:
    """The report of a shard that stands complete and up to date; else None."""
    try:
        with target.open(shard.name) as file:
            stored = pq.read_metadata(file).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    told = json.loads((stored or {}).get(_METADATA, b"{}"))
    return told.get("report") if told.get("digest") == shard.digest else None
