"""`build.json`, which describes a build and whether it is finished, and `manifest.jsonl`, the list of its source videos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..identity import codec_versions
from ..questions.identity import dataset_id, row_code_digest
from ..questions.job import Job
from ..questions.report import Report
from ..questions.spec import BuildSpec
from ..sources.source import Source
from ..tasks import UsageError
from ..version import VERSION
from .folder import Folder
from .shards import Shard

SUMMARY = "build.json"
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Summary:
    """The content of `build.json`. An unfinished build has only the spec.

    Attributes:
        spec: `BuildSpec.to_dict`.
        identity: `dataset_id`, equal for builds of the same rows.
        version, code, codecs: VideoSSR's version, a digest of its code, and the versions of the codec libraries.
        portions: `task`, `task_version`, `level`, `params`, `metric`, `chance`, `chance_exact` of each portion, by name.
        report: `Report.summary`.
        shards: `file` and `digest` of each shard.
    """

    spec: Mapping[str, Any]
    finished: bool = False
    identity: str = ""
    rows: int = 0
    version: str = ""
    code: str = ""
    codecs: Mapping[str, str] = field(default_factory=dict)
    portions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    shards: Sequence[Mapping[str, str]] = ()

    @classmethod
    def of(cls, job: Job, shards: Sequence[Shard], report: Report) -> Summary:
        """The summary of a build whose shards are all finished."""
        spec = job.spec
        return cls(
            spec=plain_spec(spec),
            finished=True,
            identity=dataset_id(spec, {job.split: job.sources}),
            rows=report.rows.total(),
            version=VERSION,
            code=row_code_digest(),
            codecs=codec_versions(),
            portions=_portions(spec),
            report=report.summary(),
            shards=[{"file": shard.name, "digest": shard.digest} for shard in shards],
        )

    @classmethod
    def read(cls, folder: Folder) -> Summary | None:
        """The summary of the build in a folder; None if there is none. Raises UsageError if it is damaged."""
        text = folder.read_text(SUMMARY)
        return None if text is None else cls.parse(text, folder.url)

    @classmethod
    def parse(cls, text: str, where: str) -> Summary:
        """Read the text of a `build.json`; `where` names it in messages. Raises as `read`."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            advice = "give another folder, or remove this one"
            raise UsageError(f"{SUMMARY} in {where!r} is damaged, or of another version; {advice}") from None

    def write(self, folder: Folder) -> None:
        """Write `build.json`."""
        folder.write_text(SUMMARY, json.dumps(asdict(self), indent=2) + "\n")


def plain_spec(spec: BuildSpec) -> dict[str, Any]:
    """A spec as it is read back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return plain


def write_manifest(folder: Folder, sources: Sequence[Source]) -> None:
    """Write `manifest.jsonl`: the name and the fingerprint of every source video."""
    lines = [json.dumps({"name": source.name, "fingerprint": source.fingerprint}) for source in sources]
    folder.write_text(MANIFEST, "\n".join(lines) + "\n")


def read_manifest(folder: Folder) -> list[dict[str, str]]:
    """`name` and `fingerprint` of every source video; empty if there is no manifest."""
    return [json.loads(line) for line in (folder.read_text(MANIFEST) or "").splitlines()]


def _portions(spec: BuildSpec) -> dict[str, dict[str, Any]]:
    portions = {}
    for portion in spec.portions:
        chance = portion.task.chance(portion.params, spec.frames)
        portions[portion.name] = {
            "task": portion.task.name,
            "task_version": portion.task.version,
            "level": portion.level.name,
            "params": portion.params,
            "metric": portion.metric,
            "chance": round(chance.smooth, 4),
            "chance_exact": round(chance.exact, 4),
        }
    return portions
