"""The dataset card: describes the dataset to readers, and holds what `videossr regenerate` needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from ..questions.spec import BuildSpec
from ..storage.shards import DATA
from ..storage.stored_build import Build
from ..storage.summary import MANIFEST
from ..tasks import UsageError

BEGIN, END = "<!-- videossr: begin -->", "<!-- videossr: end -->"  # we replace only the text between them
BLOCK = "videossr"
TAGS = ("videossr", "verifiable-rewards", "reinforcement-learning", "grpo", "video", "synthetic")
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")


def make_card(
    build: Build,
    repo: str,
    existing: DatasetCard | None,
    *,
    license: str | None,
    source_datasets: Sequence[str],
    sheets: Iterable[str],
) -> DatasetCard:
    """The card of a build, merged into the repository's card; text of other authors stays.

    Args:
        existing: the repository's card, if any.
        license: None keeps the license of the existing card.
        sheets: file names of contact sheets in the repository.

    Raises:
        UsageError: if no license is named anywhere.
    """
    portions = list(build.summary.report["rows"])
    data: dict[str, Any] = {} if existing is None else existing.data.to_dict()  # type: ignore[no-untyped-call]
    license = license or data.get("license")
    if not license:
        raise UsageError("license is missing: add --license cc-by-4.0, or another that your videos allow")
    paths = {"default": f"{DATA}/*/*.parquet", **{portion: f"{DATA}/{portion}/*.parquet" for portion in portions}}
    configs = [{"config_name": name, "data_files": [{"split": "train", "path": path}]} for name, path in paths.items()]
    configs[0]["default"] = True
    ours = {config["config_name"] for config in configs}
    others = [config for config in data.get("configs") or [] if config.get("config_name") not in ours]
    data |= {
        "license": license,
        "task_categories": _union(data.get("task_categories"), ["video-text-to-text"]),
        "tags": _union(data.get("tags"), TAGS),
        "size_categories": [_size(build.rows)],
        "configs": [*configs, *others],
        BLOCK: block(build),
    }
    # infos that a plain push_to_hub wrote for configs of these names are out of date
    infos = data.pop("dataset_info", None) or []
    infos = [info for info in ([infos] if isinstance(infos, dict) else infos) if info.get("config_name", "default") not in ours]
    if infos:
        data["dataset_info"] = infos
    if source_datasets:
        data["source_datasets"] = _union(data.get("source_datasets"), source_datasets)
    data.setdefault("pretty_name", repo.partition("/")[2])
    text = _merged("" if existing is None else existing.text, _body(build, repo, portions, sheets))
    return DatasetCard(f"---\n{DatasetCardData(**data).to_yaml()}\n---\n{text}")


def block(build: Build) -> dict[str, Any]:
    """The facts that identify the build, and the spec that makes it again."""
    summary = build.summary
    portions = summary.portions
    return {
        "version": summary.version,
        "code": summary.code,
        "identity": summary.identity,
        "seed": summary.spec["seed"],
        "rows": build.rows,
        "tasks": {portion["task"]: portion["task_version"] for portion in portions.values()},
        "levels": {name: portion["level"] for name, portion in portions.items()},
        "codecs": dict(summary.codecs),
        "manifest_sha256": hashlib.sha256((build.folder.read_text(MANIFEST) or "").encode()).hexdigest(),
        "spec": dict(summary.spec),
    }


def call(build: Build, videos: str) -> str:
    """The Python call that makes the build's rows again."""
    spec = build.summary.spec
    default = BuildSpec(spec["preset"]).to_dict()
    changed = {name: value for name, value in spec.items() if name != "preset" and value != default[name]}
    choices = "".join(f", {name}={value!r}" for name, value in changed.items())
    return f'load_dataset("videossr", "{spec["preset"]}", data_dir="{videos}"{choices}, split="train")'


def _body(build: Build, repo: str, portions: Sequence[str], sheets: Iterable[str]) -> str:
    spec, report = build.summary.spec, build.summary.report
    parts = [
        BEGIN,
        f"# {repo.partition('/')[2]}",
        f"{build.rows:,} questions about videos whose answers are certain: each video was changed on purpose, and the question "
        "asks what was changed. Made by VideoSSR from raw videos, without labels.",
        f"```python\nfrom datasets import load_dataset\n\n# {', '.join(portions)}; or default, which is all of them\n"
        f'load_dataset("{repo}", "{portions[0]}", split="train", streaming=True)\n```',
        "## What is in it",
        _table(
            ("config", "task", "level", "rows", "of", "blind baseline", "strict", "metric"),
            [
                (name, facts["task"], facts["level"], report["rows"].get(name, 0), report["planned"].get(name, 0),
                 facts["chance"], facts["chance_exact"], facts["metric"])
                for name, facts in build.summary.portions.items()
            ],
        ),
        "The blind baseline is what the best answer that never looks at the video scores: on the smooth reward, and on the "
        "strict one.",
        f"Every clip has {spec['frames']} frames of at most {spec['max_pixels']:,} pixels. `prompt` holds a `<video>` for each of "
        "`videos`; `reward_model.ground_truth` is the answer; `extra_info` has the frames' true times, the blind baseline, where the clip comes "
        "from (`source`, `fingerprint`, `source_times`) and the edit list (`recipe`).",
    ]  # fmt: skip
    if sheets := list(sheets):
        parts += [
            "## Samples",
            "\n\n".join(f"![a question, its frames and its answer; edited frames in red]({sheet})" for sheet in sheets),
        ]
    if repeated := report["repeated"]:
        listed = ", ".join(f"{count} of {name}" for name, count in repeated.items())
        parts.append(f"Some questions are asked twice of the same video, as it gives no further different ones: {listed}.")
    if unproven := report["unproven"]:
        listed = ", ".join(f"{count / report['rows'][name]:.1%} of {name}" for name, count in unproven.items())
        parts.append(f"For some questions the pictures do not rule out every other answer: {listed}.")
    if refused := report["refused"]:
        parts += ["## What was refused", "Attempts at a question whose answer could not be seen for certain:"]
        parts.append(_table(("portion", "times", "why"), [(name, count, reason) for name, reason, count in refused]))
    left_out = {**report["unusable"], **{name: f"same content as {other}" for name, other in report["duplicates"].items()}}
    if left_out:
        parts += [f"{len(left_out)} of the videos were not used:", _table(("video", "why"), sorted(left_out.items()))]
    parts += [
        "## Make it again",
        f"`{MANIFEST}` names every source video by its path and the hash of its content. With them, and the versions in `{BLOCK}:` above,",
        f"```\nvideossr regenerate {repo} --videos DIR\n```",
        "makes all rows again and compares each. In Python:",
        f'```python\nimport dataset_builder  # registers "videossr"\n\n{call(build, "DIR")}\n```',
        END,
    ]
    return "\n\n".join(parts)


def _merged(text: str, ours: str) -> str:
    """The text with our part replaced, or appended if it has none."""
    if BEGIN in text and END in text:
        pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
        return pattern.sub(lambda _: ours, text, count=1)
    return f"{text.rstrip()}\n\n{ours}\n" if text.strip() else f"{ours}\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *(tuple(str(cell).replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _union(existing: Any, ours: Iterable[str]) -> list[str]:
    existing = [existing] if isinstance(existing, str) else list(existing or [])
    return [*existing, *(name for name in ours if name not in existing)]


def _size(rows: int) -> str:
    return _SIZES[min(max(0, len(str(rows)) - 3), len(_SIZES) - 1)]
