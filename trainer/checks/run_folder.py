"""Records in a run's output folder which run its checkpoints belong to.

verl resumes from any checkpoint in that folder, even from another run's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dataset_builder.storage.summary import Summary

from ..data.prompt_length import keeps_outer_tokens
from ..data.settings import LIVE
from ..data.stored import open_build

RUN_FILE = "run.json"
PROMPT_FORMS = {
    True: "a video's start and end stand around its pairs (transformers 5.10)",
    False: "no start and end stand around a video's pairs (transformers 5.9)",
}
_LATEST = "latest_checkpointed_iteration.txt"  # written by verl
# settings of live questions that may change between a checkpoint and its resumption
_CHANGEABLE = ("clip_cache", "clip_cache_gb", "ahead", "curriculum", "levels", "mixture", "difficulty")


def checkpoint_step(config: DictConfig) -> int | None:
    """The step of the checkpoint that the run would resume from, or None if it would start anew."""
    latest = Path(config.trainer.default_local_dir, _LATEST)
    if config.trainer.resume_mode == "disable" or not latest.exists():
        return None
    return int(latest.read_text())


def write_run_file(config: DictConfig) -> None:
    """Write the run's identity to its output folder."""
    folder = Path(config.trainer.default_local_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN_FILE).write_text(json.dumps(_run_identity(config), indent=2) + "\n")


def resume_faults(config: DictConfig, questions: int) -> Iterator[str]:
    """Yield reasons why the run must not resume from the checkpoint in its output folder.

    Args:
        questions: number of questions in one epoch.
    """
    step = checkpoint_step(config)
    if step is None:
        return
    out = config.trainer.default_local_dir
    path = Path(out, RUN_FILE)
    old, new = json.loads(path.read_text()) if path.exists() else {}, _run_identity(config)
    changes = [f"{name}={old[name]!r}, not {value!r}" for name, value in new.items() if name in old and old[name] != value]
    if changes:
        yield f"out={out!r} holds another run's checkpoint of step {step}: {'; '.join(changes)}; choose another out="
        return
    last = config.trainer.total_training_steps or questions // config.data.train_batch_size * config.trainer.total_epochs
    if step >= last:
        yield f"out={out!r} holds a finished run, at step {step} of {last}; choose another out= or more steps="


def _run_identity(config: DictConfig) -> dict[str, Any]:
    """The settings that must stay the same when a run is resumed."""
    name = str(config.data.train_files)
    questions: Any = None
    if name.startswith(LIVE):
        settings = OmegaConf.to_container(config.data.videossr, resolve=True)
        assert isinstance(settings, dict)
        questions = {str(key): value for key, value in settings.items() if key not in _CHANGEABLE}
    elif summary := Summary.read(open_build(name)):
        questions = summary.identity
    return {
        "model": str(config.actor_rollout_ref.model.path), "data": name, "seed": config.data.seed, "questions": questions,
        "prompt": PROMPT_FORMS[keeps_outer_tokens()],
    }  # fmt: skip
