"""Writes the rows of a build as lmms-eval tasks: a folder for its `--include_path`."""

from __future__ import annotations

import json
from pathlib import Path

from dataset_builder.storage.stored_build import Build
from dataset_builder.tasks import UsageError

_SHARED = Path(__file__).with_name("viubench_task.yaml")
_FUNCTIONS = """\
import sys

sys.path.append({root!r})
from eval.public.viubench_task import *  # noqa: F403
"""
_TASK = """\
include: _shared_yaml
task: viubench_{portion}
dataset_kwargs: {{data_files: {{test: {files}}}}}
process_docs: !function utils.{portion}
"""
_GROUP = """\
group: viubench
task: [{tasks}]
aggregate_metric_list: [{{metric: viubench, aggregation: mean, weight_by_size: false, filter_list: [none]}}]
"""


def write_tasks(folder: str | Path, out: Path) -> list[str]:
    """Write one task for each portion of a build, and the group `viubench` with their mean; returns the tasks' names.

    Raises:
        UsageError: if there is no local build, or its videos are not stored as JPEG frames.
    """
    build = Build.read(folder)
    if build.video_format != "jpeg":
        fault = f"the build in {str(folder)!r} holds {build.video_format} videos; lmms-eval needs JPEG frames"
        raise UsageError(f"{fault}: build it with --video-format jpeg")
    if build.folder.is_remote:
        raise UsageError(f"the build in {build.folder.url!r} is remote; lmms-eval reads local files: copy it to this machine")
    files = json.dumps([str(build.folder.path / shard["file"]) for shard in build.summary.shards])
    out.mkdir(parents=True, exist_ok=True)
    portions = list(build.summary.portions)
    functions = "".join(f'\n\ndef {name}(docs):\n    return select_portion(docs, "{name}")\n' for name in portions)
    (out / "utils.py").write_text(_FUNCTIONS.format(root=str(Path(__file__).resolve().parents[2])) + functions)
    (out / "_shared_yaml").write_text(_SHARED.read_text())
    names = [f"viubench_{portion}" for portion in portions]
    for name, portion in zip(names, portions, strict=True):
        (out / f"{name}.yaml").write_text(_TASK.format(portion=portion, files=files))
    (out / "viubench.yaml").write_text(_GROUP.format(tasks=", ".join(names)))
    return names
