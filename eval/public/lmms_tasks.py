"""VIUBench as tasks of lmms-eval: a folder for its `--include_path`, made for a build."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.storage.stored_build import Build
from dataset_builder.tasks import UsageError

FUNCTIONS = Path(__file__).with_name("viubench_task.py")
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
_ROOT = "ROOT: str | None = None  # the project's folder"


def write_tasks(folder: str | Path, out: Path) -> list[str]:
    """Write the tasks of a build's portions, and the group `viubench` with their mean; gives their names.

    Raises:
        UsageError: if there is no build, or its videos are no JPEG frames.
    """
    build = Build.read(folder)
    if build.video_format != "jpeg":
        raise UsageError(
            f"the build in {str(folder)!r} holds {build.video_format} videos; lmms-eval is handed frames: build it with --video-format jpeg"
        )
    if build.folder.is_remote:
        raise UsageError(f"the build in {build.folder.url!r} lies in a store; lmms-eval reads local files: copy it here")
    files = [str(build.folder.path / shard["file"]) for shard in build.summary.shards]
    out.mkdir(parents=True, exist_ok=True)
    portions = list(build.summary.portions)
    source = FUNCTIONS.read_text()
    assert _ROOT in source
    chosen = "".join(f'\n\ndef {portion}(docs: Any) -> Any:\n    return _of(docs, "{portion}")\n' for portion in portions)
    (out / "utils.py").write_text(
        source.replace(_ROOT, f"ROOT: str | None = {str(Path(__file__).resolve().parents[2])!r}") + chosen
    )
    for portion in portions:
        (out / f"viubench_{portion}.yaml").write_text(_TASK.format(portion=portion, files=files))
    names = [f"viubench_{portion}" for portion in portions]
    (out / "viubench.yaml").write_text(_GROUP.format(tasks=", ".join(names)))
    return names
