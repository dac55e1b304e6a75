"""Builds a pushed dataset again from its card and the raw videos, and compares row by row."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from huggingface_hub import DatasetCard, HfApi

from ..identity import codec_versions
from ..media.clip_cache import ClipCache
from ..progress import Progress, no_progress
from ..questions.identity import row_code_digest
from ..questions.job import folder_job
from ..questions.spec import BuildSpec
from ..sources.source import Source
from ..storage.build import SPLIT, build_job
from ..storage.local_engine import LocalEngine
from ..storage.stored_build import Build
from ..storage.summary import MANIFEST
from ..tasks import UsageError
from ..version import VERSION
from .card import BLOCK
from .files import RowDigest, digest_row
from .push import DIGESTS, explained, read_file


@dataclass
class Comparison:
    """The result for every row, named as `portion index`.

    Attributes:
        same: equal questions, answers and video bytes.
        videos_differ: equal questions and answers, but other video bytes.
        differ: another question or answer.
        missing: rows of the dataset that were not made again.
        added: rows that are not in the dataset.
        versions: (name, version of the dataset, version here) of everything that differs.
    """

    same: list[str] = field(default_factory=list)
    videos_differ: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    versions: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Whether every row was made again byte for byte."""
        return not (self.videos_differ or self.differ or self.missing or self.added)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_same": self.is_same}

    def table(self) -> str:
        """As text, for a terminal; names every row that is not the same."""
        lines = [f"{name} is {here} here; the dataset was made with {there}" for name, there, here in self.versions]
        for what, rows in (
            ("made again, the same byte for byte", self.same),
            ("the same question and answer, other bytes of video", self.videos_differ),
            ("another question or answer", self.differ),
            ("not made again", self.missing),
            ("not in the dataset", self.added),
        ):
            if rows:
                lines.append(f"{len(rows):8,} rows: {what}" + ("" if rows is self.same else f": {', '.join(rows)}"))
        return "\n".join(lines)


def regenerate(
    repo: str,
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    token: str | None = None,
    cache: ClipCache | None = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Build `repo` again into `out`, and compare.

    Args:
        repo: `owner/name`, as pushed by `push`.
        videos: a folder with the source videos; file names do not matter, as videos are matched by content.

    Raises:
        UsageError: if the card does not describe a build, or source videos are not in the folder.
        BuildError: if the Hub cannot be reached, or the build stopped.
    """
    api = HfApi(token=token)
    with explained(repo):
        block = DatasetCard(read_file(api, repo, "README.md")).data.to_dict().get(BLOCK)  # type: ignore[no-untyped-call]
        if not block:
            raise UsageError(f"the card of {repo} has no `{BLOCK}:` block; only datasets of `videossr push` can be made again")
        manifest = [json.loads(line) for line in read_file(api, repo, MANIFEST).splitlines()]
        digests = [RowDigest(**json.loads(line)) for line in read_file(api, repo, DIGESTS).splitlines()]
    spec = BuildSpec(**block["spec"])
    job, _ = folder_job(spec, videos, SPLIT, cache or ClipCache.of())
    job = replace(job, sources=_matched(manifest, job.sources, videos))
    build_job(job, out, engine=LocalEngine(workers), progress=progress)
    comparison = _compare(digests, Build.read(out))
    comparison.versions = _versions(block)
    return comparison


def _matched(manifest: Sequence[Mapping[str, str]], sources: Sequence[Source], videos: Any) -> tuple[Source, ...]:
    """The sources of the manifest, found by content (unreadable ones by name), with the manifest's names."""
    by_content = {source.fingerprint: source for source in sources if source.fingerprint}
    by_name = {source.name: source for source in sources}
    matched, missing = [], []
    for line in manifest:
        source = by_content.get(line["fingerprint"]) if line["fingerprint"] else by_name.get(line["name"])
        if source is None:
            missing.append(line["name"])
        else:
            matched.append(replace(source, name=line["name"]))
    if missing:
        named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise UsageError(f"videos={str(videos)!r} does not hold {len(missing)} of the {len(manifest)} source videos: {named}")
    return tuple(matched)


def _compare(digests: Sequence[RowDigest], build: Build) -> Comparison:
    comparison = Comparison()
    pushed = {(row.portion, row.index): row for row in digests}
    for batch in build.batches():
        for row in map(digest_row, batch.to_pylist()):
            original = pushed.pop((row.portion, row.index), None)
            name = f"{row.portion} {row.index}"
            if original is None:
                comparison.added.append(name)
            elif original.text != row.text:
                comparison.differ.append(name)
            else:
                (comparison.same if original.videos == row.videos else comparison.videos_differ).append(name)
    comparison.missing = [f"{portion} {index}" for portion, index in pushed]
    return comparison


def _versions(block: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    there = {"videossr": block["version"], "its code": block["code"], **block["codecs"]}
    here = {"videossr": VERSION, "its code": row_code_digest(), **codec_versions()}
    return [(name, there[name], here.get(name, "missing")) for name in there if there[name] != here.get(name)]
