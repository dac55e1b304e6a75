"""The HuggingFace builder: `load_dataset("videossr", "mixed", data_dir="videos/", seed=7, difficulty="hard")`."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import datasets
from datasets.data_files import DataFilesDict, get_data_patterns

from .cache import clip_cache_folder, clip_cache_limit
from .dealing import Unit
from .identity import VERSION, dataset_id
from .presets import preset, preset_names
from .report import Report
from .schema import features
from .sources import ContentMemory, Source, distinct, find_videos, identify, listed_videos
from .spec import BuildSpec
from .work import Work, make_rows

logger = logging.getLogger(__name__)

NO_VIDEOS = (
    "which videos? give data_dir='folder/' or data_files='pattern or URL'; for all files of the current folder, which datasets "
    "takes where nothing is given, data_dir='.'"
)


@dataclass
class VideoSSRConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """The fields of `BuildSpec` (its `config` is this `name`), and where sampled clips are kept.

    Attributes:
        clip_cache: folder, else VIDEOSSR_CLIP_CACHE; "" for none.
        clip_cache_gb: its size limit, else VIDEOSSR_CLIP_CACHE_GB.
    """

    seed: int = 0
    difficulty: str | float | None = None
    samples: int | None = None
    per_video: int = 1
    frames: int = 48
    max_pixels: int = 256 * 256
    sampling: str = "exact"
    video_format: str = "mp4"
    system_prompt: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    clip_cache: str | None = None
    clip_cache_gb: float | None = None

    def spec(self) -> BuildSpec:
        """The checked choices.

        Raises:
            ValueError: naming the field, the value and what is allowed.
        """
        names = [name for name in BuildSpec.field_names() if name != "config"]
        return BuildSpec(config=self.name, **{name: getattr(self, name) for name in names})

    def splits(self) -> dict[str, tuple[list[Source], dict[str, str]]]:
        """The sources of each split, as from `distinct`.

        `data_dir` is one split, whatever words its file names hold; `data_files` may name several.

        Raises:
            ValueError: if there are none.
        """
        memory = ContentMemory(clip_cache_folder(self.clip_cache))
        if self.data_dir is not None:
            found = {str(datasets.Split.TRAIN): find_videos(self.data_dir)}
        elif not self.data_files or _is_guessed(self.data_files):
            raise ValueError(NO_VIDEOS)
        else:
            found = {str(split): listed_videos(map(str, files)) for split, files in self.data_files.items()}
        return {split: distinct(identify(sources, memory, remote=False)) for split, sources in found.items()}

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None) -> str:
        """Names the cache folder. Also the one place that datasets calls with all fields set: so they are checked here."""
        if custom_features is not None:
            raise ValueError("features= is not allowed; the columns are fixed, cast them afterwards")
        spec = self.spec()
        clip_cache_limit(self.clip_cache_gb)
        self.found = self.splits()  # not a field: found once, used by the builder
        return f"{self.name}-{dataset_id(spec, {split: kept for split, (kept, _) in self.found.items()})}"


def _is_guessed(data_files: DataFilesDict) -> bool:
    """Whether these are the files of the current folder, which datasets takes where nothing was given."""
    names = [str(name) for files in data_files.values() for name in files]
    if any("://" in name for name in names):
        return False
    try:
        guessed = DataFilesDict.from_patterns(get_data_patterns(os.getcwd()), base_path=os.getcwd())
    except FileNotFoundError:
        return False
    return sorted(names) == sorted(str(name) for files in guessed.values() for name in files)


class VideoSSR(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Verifiable video questions made from raw videos."""

    VERSION = datasets.Version(VERSION)
    BUILDER_CONFIG_CLASS = VideoSSRConfig
    BUILDER_CONFIGS: ClassVar = [VideoSSRConfig(name=name, description=preset(name).doc) for name in preset_names()]
    DEFAULT_CONFIG_NAME = "mixed"
    config: VideoSSRConfig
    _report_folder: str | None = None  # where workers leave their reports; none while streaming

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=preset(self.config.name).doc,
            features=features(self.config.video_format),
            license="the source videos' own",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        spec = self.config.spec()
        generators = []
        for split, (kept, _) in self.config.found.items():
            options = dict(self.storage_options or {})
            work = Work(spec, split, tuple(kept), self.config.clip_cache, self.config.clip_cache_gb, options)
            generators.append(datasets.SplitGenerator(name=split, gen_kwargs={"units": work.units(), "work": work}))
        return generators

    def _generate_examples(self, units: list[Unit], work: Work) -> Iterator[tuple[str, dict[str, Any]]]:
        report = Report()
        for row in make_rows(units, work, report):
            yield f"{work.split}-{row['extra_info']['index']}", row
        if self._report_folder:
            path = Path(self._report_folder, f"{work.split}-{units[0].source}.json")
            path.write_text(json.dumps(report.to_dict()))
        elif report.left_out:  # streaming: datasets hands over a few units at a time, and there is no end to report at
            logger.info("videossr, %s:\n%s", work.split, report.table())

    def _download_and_prepare(self, dl_manager: Any, verification_mode: Any, **prepare_split_kwargs: Any) -> None:
        self._report_folder = tempfile.mkdtemp(prefix="videossr-report-")
        try:
            super()._download_and_prepare(dl_manager, verification_mode, **prepare_split_kwargs)
            report = Report()
            for path in sorted(Path(self._report_folder).glob("*.json")):
                report.update(Report.from_dict(json.loads(path.read_text())))
        finally:
            shutil.rmtree(self._report_folder, ignore_errors=True)
            self._report_folder = None
        for _, repeated in self.config.found.values():
            report.repeated.update(repeated)
        report.check()
        if report.left_out:
            logger.warning("videossr:\n%s", report.table())
