"""The questions of the authors' own files, with their frames."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean

from dataset_builder import tasks
from dataset_builder.identity import digest
from dataset_builder.media.sampling import Sampling
from dataset_builder.storage.original_rows import OriginalRow, read_original

from ..frames import image_reference
from ..sample import Benchmark, Sample


def from_original(file: str | Path, frames: str | Path, max_pixels: int = 512 * 512) -> Benchmark:
    """The rows of a released file; a task, and each kind of anomaly of it, is a column.

    Args:
        frames: the folder of the frames.

    Raises:
        UsageError: if it is no such file, or the folder is another.
    """
    rows = list(read_original(file, frames))
    columns: dict[str, list[OriginalRow]] = defaultdict(list)
    for row in rows:
        columns["_".join(filter(None, (row.task, row.kind)))].append(row)
    samples = [sample for name, members in columns.items() for sample in _make_samples(name, members, max_pixels)]
    most = max((len(clip) for row in rows for clip in row.frames), default=2)
    facts = {"file": str(file), "frames": most, "max_pixels": max_pixels}
    return Benchmark(Path(file).stem, "generated", tuple(samples), Sampling(most, max_pixels), facts=facts)


def _make_samples(column: str, rows: list[OriginalRow], max_pixels: int) -> list[Sample]:
    task = tasks.get(rows[0].task)
    metric = "score" if task.name == "grounding" else "exact"
    truths = [task.read_truth(row.truth) for row in rows]
    constants = {
        truth.format(): truth for truth in truths
    }  # the file says no chance: the best of its own answers stands for it
    part = 1 if metric == "exact" else 0
    means = {text: fmean(float(one.score(truth)[part]) for truth in truths) for text, one in constants.items()}
    blind = max(means, key=means.__getitem__)
    return [
        Sample(
            id=f"{column}-{row.number:05d}",
            column=column,
            group=row.video,
            question=row.question,
            truth=row.truth,
            kind="task",
            metric=metric,
            chance=means[blind],
            blind=blind,
            videos=image_reference(row.frames, row.times),
            content=digest([[Path(path).name for path in clip] for clip in row.frames], row.video, row.times, max_pixels),
            info={"task": task.name, "params": task.params("medium"), "source": row.video, "end": max(map(max, row.times))},
        )
        for row in rows
    ]
