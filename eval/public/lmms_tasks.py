"""Writes the rows of a build as lmms-eval tasks: a folder for its `--include_path`."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.storage.stored_build import Build
from dataset_builder.tasks import UsageError

_FUNCTIONS = """\
import sys

sys.path.append({root!r})
from eval.public.viubench_task import *  # noqa: F403


"""
_TASK = """\
task: viubench_{portion}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: {files}
test_split: test
output_type: generate_until
process_docs: !function utils.{portion}
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_messages: !function utils.doc_to_messages
doc_to_target: !function utils.doc_to_target
process_results: !function utils.process_results
generation_kwargs:
  max_new_tokens: 2048
  temperature: 0
metric_list:
  - metric: viubench
    aggregation: !function utils.mean_percent
    higher_is_better: true
metadata:
  version: 1.0
"""
_GROUP = """\
group: viubench
task: [{tasks}]
aggregate_metric_list:
  - metric: viubench
    aggregation: mean
    weight_by_size: false
    filter_list: [none]
"""


def write_tasks(folder: str | Path, out: Path) -> list[str]:
    """Write one task for each portion of a build, and the group `viubench` with their mean; returns the tasks' names.

    Raises:
        UsageError: if there is no local build, or its videos are not stored as JPEG frames.
    """
    build = Build.read(folder)
    if build.video_format != "jpeg":
        raise UsageError(
            f"the build in {str(folder)!r} holds {build.video_format} videos; lmms-eval needs JPEG frames: build it with --video-format jpeg"
        )
    if build.folder.is_remote:
        raise UsageError(f"the build in {build.folder.url!r} is remote; lmms-eval reads local files: copy it to this machine")
    files = [str(build.folder.path / shard["file"]) for shard in build.summary.shards]
    out.mkdir(parents=True, exist_ok=True)
    portions = list(build.summary.portions)
    functions = "\n\n".join(f'def {name}(docs):\n    return select_portion(docs, "{name}")\n' for name in portions)
    root = str(Path(__file__).resolve().parents[2])
    (out / "utils.py").write_text(_FUNCTIONS.format(root=root) + functions)
    for portion in portions:
        (out / f"viubench_{portion}.yaml").write_text(_TASK.format(portion=portion, files=files))
    names = [f"viubench_{portion}" for portion in portions]
    (out / "viubench.yaml").write_text(_GROUP.format(tasks=", ".join(names)))
    return names
