"""What stands in a run's folder: whose checkpoints they are, and how far they got.

verl goes on from whatever checkpoint it finds there, another run's as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dataset_builder.storage.folder import Folder
from dataset_builder.storage.summary import Summary

from .data.settings import LIVE

MARK = "run.json"
_LATEST = "latest_checkpointed_iteration.txt"  # verl's
# of live questions, what may change on the way
_FREE = ("clip_cache", "clip_cache_gb", "ahead", "curriculum", "levels", "difficulty")


def checkpoint(config: DictConfig) -> int | None:
    """The step that the run would go on from; None if it begins."""
    latest = Path(config.trainer.default_local_dir, _LATEST)
    if config.trainer.resume_mode == "disable" or not latest.exists():
        return None
    return int(latest.read_text())


def mark(config: DictConfig) -> None:
    """Say whose folder it is."""
    folder = Path(config.trainer.default_local_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(json.dumps(_run(config), indent=2) + "\n")


def resume_faults(config: DictConfig, questions: int) -> Iterator[str]:
    """Why the run may not go on from the checkpoints in its folder.

    Args:
        questions: how many there are in a pass.
    """
    step = checkpoint(config)
    if step is None:
        return
    out = config.trainer.default_local_dir
    path = Path(out, MARK)
    held, wanted = json.loads(path.read_text()) if path.exists() else {}, _run(config)
    other = [f"{name}={held[name]!r}, not {value!r}" for name, value in wanted.items() if name in held and held[name] != value]
    if other:
        yield f"out={out!r} holds another run's checkpoint of step {step}: {'; '.join(other)}; give another out="
        return
    last = config.trainer.total_training_steps or questions // config.data.train_batch_size * config.trainer.total_epochs
    if step >= last:
        yield f"out={out!r} holds a run that has ended, with step {step} of {last}; give another out=, or more steps="


def _run(config: DictConfig) -> dict[str, Any]:
    """What must stay the same."""
    name = str(config.data.train_files)
    asked: Any = None
    if name.startswith(LIVE):
        told = OmegaConf.to_container(config.data.videossr, resolve=True)
        assert isinstance(told, dict)
        asked = {str(key): value for key, value in told.items() if key not in _FREE}
    elif summary := Summary.read(Folder.of(name)):
        asked = summary.identity
    return {"model": str(config.actor_rollout_ref.model.path), "data": name, "seed": config.data.seed, "questions": asked}
