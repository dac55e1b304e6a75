"""The HuggingFace builder: `load_dataset("videossr", "mixed", data_dir="videos/", seed=7, difficulty="hard")`."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import MISSING, field, fields, make_dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets

from .media.clip_cache import ClipCache
from .questions.identity import dataset_id
from .questions.job import Job, make_rows, select_sources
from .questions.presets import preset, preset_names
from .questions.report import Report
from .questions.row import features
from .questions.spec import BuildSpec
from .sources.find import find_videos, list_videos
from .sources.identify import identify, tell_apart
from .sources.memory import ContentMemory
from .sources.source import Source
from .tasks import UsageError
from .version import VERSION

logger = logging.getLogger(__name__)

NO_VIDEOS = "no videos given: pass data_dir='folder/' or data_files='pattern or URL'; for all files of the current folder, pass data_dir='.'"


class _Config(datasets.BuilderConfig):  # type: ignore[misc]
    """The methods of the configuration; `VideoSSRConfig` below adds the fields."""

    clip_cache: str | None
    clip_cache_gb: float | None
    storage_options: dict[str, Any]
    sources: dict[str, tuple[Source, ...]]  # by split; set by create_config_id
    left_out: Report

    def spec(self) -> BuildSpec:
        """The validated spec; raises UsageError naming the field, the value and what is allowed."""
        names = [choice.name for choice in fields(BuildSpec) if choice.name != "preset"]
        return BuildSpec(preset=self.name, **{name: getattr(self, name) for name in names})

    def cache(self) -> ClipCache:
        return ClipCache.of(self.clip_cache, self.clip_cache_gb)

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None) -> str:
        """The name of the cache folder. datasets calls this once all fields are set, so the fields are checked here."""
        if custom_features is not None:
            raise UsageError("features= is not allowed; the columns are fixed, cast them afterwards")
        spec = self.spec()
        self._find_sources()
        return self._id(spec)

    def _id(self, spec: BuildSpec) -> str:
        return f"{self.name}-{dataset_id(spec, self.sources)}"

    def identify_sources(self) -> str:
        """Identify all local sources, which streaming does when it comes to them; returns the name of the cache folder."""
        memory = ContentMemory(self.cache().folder)
        for split, sources in self.sources.items():
            self.sources[split] = tuple(identify(sources, memory, self.storage_options, remote=False))
        return self._id(self.spec())

    def _find_sources(self) -> None:
        """Find the sources of each split. A video that is in several splits stays only in the first.

        `data_dir` is always one split, whatever its file names contain; `data_files` may name several.
        """
        memory = ContentMemory(self.cache().folder)
        if self.data_dir is not None:
            splits = {str(datasets.Split.TRAIN): find_videos(self.data_dir, self.storage_options)}
        elif not self.data_files:
            raise UsageError(NO_VIDEOS)
        else:
            splits = {str(split): list_videos(map(str, files)) for split, files in self.data_files.items()}
        told_apart = iter(tell_apart(chain.from_iterable(splits.values()), memory, self.storage_options))
        self.sources, self.left_out = {}, Report()
        names_by_content: dict[str, str] = {}
        for split, sources in splits.items():
            own = list(islice(told_apart, len(sources)))
            distinct, left_out = select_sources(own, names_by_content, f"{split}: " if len(splits) > 1 else "")
            if not distinct:
                raise UsageError(f"split {split!r} holds only videos that earlier splits hold: {left_out.duplicates}")
            self.sources[split] = tuple(distinct)
            self.left_out.update(left_out)


VideoSSRConfig = make_dataclass(
    "VideoSSRConfig",
    [
        *((x.name, x.type, field(default=x.default) if x.default is not MISSING else field(default_factory=dict))
          for x in fields(BuildSpec) if x.name != "preset"),
        ("clip_cache", "str | None", None),
        ("clip_cache_gb", "float | None", None),
        ("storage_options", "dict[str, Any]", field(default_factory=dict)),
    ],
    bases=(_Config,),
    namespace={"__module__": __name__, "__doc__": """The fields of `BuildSpec` (`preset` is called `name` here), and the clip cache as in `ClipCache.of`."""},
)  # fmt: skip


class _Presets:
    """One configuration for each preset and task, read at access time so that later registrations count."""

    def __get__(self, builder: Any, owner: type | None = None) -> list[Any]:
        return [VideoSSRConfig(name=name, description=preset(name).doc) for name in preset_names()]


class VideoSSR(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Verifiable video questions made from raw videos."""

    VERSION = datasets.Version(VERSION)
    BUILDER_CONFIG_CLASS = VideoSSRConfig
    BUILDER_CONFIGS = _Presets()
    DEFAULT_CONFIG_NAME = "mixed"
    config: _Config
    _report_folder: str | None = None  # worker processes write their reports here; None while streaming

    def _create_builder_config(self, *args: Any, **config_kwargs: Any) -> tuple[Any, str]:
        # datasets does not pass storage_options and token on; finding and identifying videos needs them
        options = dict(self.storage_options or {})
        if self.token is not None:
            options["hf"] = {"token": self.token, **options.get("hf", {})}
        return super()._create_builder_config(*args, storage_options=options, **config_kwargs)  # type: ignore[no-any-return]

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=preset(self.config.name).doc,
            features=features(self.config.spec().video_format),
            license="the source videos' own",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        spec, cache = self.config.spec(), self.config.cache()
        generators = []
        for split, sources in self.config.sources.items():
            job = Job(spec, split, sources, cache, self.config.storage_options)
            # datasets shares the list among processes; what a unit holds is worked out where it is made
            units = list(range(len(job.units())))
            generators.append(datasets.SplitGenerator(name=split, gen_kwargs={"units": units, "job": job}))
        return generators

    def _generate_examples(self, units: list[int], job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
        report, dealt = Report(), job.units()
        for row in make_rows([dealt[unit] for unit in units], job, report):
            yield f"{job.split}-{row['extra_info']['index']}", row
        if self._report_folder:
            path = Path(self._report_folder, f"{job.split}-{units[0]}.json")
            path.write_text(json.dumps(report.to_dict()))
        elif report.has_remarks:  # streaming: datasets asks for a few units at a time and signals no end, so report now
            logger.info("videossr, %s:\n%s", job.split, report.table())

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        self.config_id = self.config.identify_sources()
        self._cache_dir = self._build_cache_dir()
        super().download_and_prepare(*args, **kwargs)

    def _download_and_prepare(self, dl_manager: Any, verification_mode: Any, **prepare_split_kwargs: Any) -> None:
        self._report_folder = tempfile.mkdtemp(prefix="videossr-report-")
        try:
            super()._download_and_prepare(dl_manager, verification_mode, **prepare_split_kwargs)
            report = Report()
            report.update(self.config.left_out)
            for path in sorted(Path(self._report_folder).glob("*.json")):
                report.update(Report.from_dict(json.loads(path.read_text())))
        finally:
            shutil.rmtree(self._report_folder, ignore_errors=True)
            self._report_folder = None
        report.check()
        if report.has_remarks:
            logger.warning("videossr:\n%s", report.table())
