"""Benchmarks: generated from any videos and seed, or read from files of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataset_builder.questions.spec import BuildSpec


@dataclass(frozen=True)
class GeneratedBenchmark:
    """A benchmark made from any videos and seed; the preset of its name holds its columns, each a task at a level.

    Attributes:
        doc: one line for `--help`.
        per_column: questions of each column.
        frames, max_pixels: of a video.
    """

    name: str
    doc: str
    per_column: int
    frames: int = 48
    max_pixels: int = 512 * 512

    def spec(
        self, seed: int = 0, *, frames: int | None = None, max_pixels: int | None = None, per_column: int | None = None
    ) -> BuildSpec:
        """The build that holds its questions; raises UsageError for a value that is not allowed."""
        from dataset_builder.questions.presets import preset
        from dataset_builder.questions.spec import BuildSpec

        samples = len(preset(self.name).portions) * (per_column or self.per_column)
        return BuildSpec(
            self.name, seed=seed, samples=samples, frames=frames or self.frames, max_pixels=max_pixels or self.max_pixels,
            video_format="jpeg",
        )  # fmt: skip


VIUBENCH = GeneratedBenchmark("viubench", "the paper's benchmark, generated from any videos and seed", per_column=300)
SUITE = GeneratedBenchmark("suite-bench", "all tasks at all levels, generated from any videos and seed", per_column=25)
GENERATED = {benchmark.name: benchmark for benchmark in (VIUBENCH, SUITE)}
"""By name, which is also that of the subcommand."""
