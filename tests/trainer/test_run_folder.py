"""From which checkpoints a run resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig

from dataset_builder.storage.folder import Folder
from trainer.checks import run_folder
from trainer.checks.run_folder import checkpoint_step, resume_faults, write_run_file
from trainer.config.compose import make_config


def config(out: Path, *more: str) -> DictConfig:
    defaults = ("data=live:clips", "model=m", "reward_url=http://localhost:9", f"out={out}")
    settings = {setting.partition("=")[0]: setting for setting in (*defaults, *more)}
    return make_config(list(settings.values()), cpu=True)


def test_a_run_resumes_only_from_its_own_checkpoints(tmp_path: Path) -> None:
    run = config(tmp_path, "steps=10")
    assert checkpoint_step(run) is None
    assert not list(resume_faults(run, 1000))
    write_run_file(run)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("4")
    assert checkpoint_step(run) == 4
    assert not list(resume_faults(run, 1000))
    assert not list(resume_faults(config(tmp_path, "steps=10", "difficulty=hard", "data.videossr.ahead=5"), 1000))
    [other] = resume_faults(config(tmp_path, "steps=10", "model=n", "seed=3"), 1000)
    assert (
        other
        == f"out={str(tmp_path)!r} holds another run's checkpoint of step 4: model='m', not 'n'; seed=0, not 3; questions="
        + other.partition("questions=")[2]
    )
    assert other.endswith("choose another out=")
    [ended] = resume_faults(config(tmp_path, "steps=4"), 1000)
    assert "holds a finished run, at step 4 of 4; choose another out= or more steps=" in ended
    batch = run.data.train_batch_size
    [ended] = resume_faults(config(tmp_path), 4 * batch)
    assert "step 4 of 4" in ended
    assert not list(resume_faults(config(tmp_path), 5 * batch))
    assert checkpoint_step(config(tmp_path, "trainer.resume_mode=disable")) is None


def test_a_dataset_that_was_pushed_anew_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Hub gives for a name is told by the build's identity; fetching is tested in test_data.py."""
    fetched = tmp_path / "snapshot"
    fetched.mkdir()
    monkeypatch.setattr(run_folder, "open_build", lambda name: Folder.of(str(fetched)))

    def push(identity: str) -> None:
        (fetched / "build.json").write_text(json.dumps({"spec": {}, "finished": True, "identity": identity}))

    push("first")
    run = config(tmp_path / "out", "data=me/questions", "steps=10")
    write_run_file(run)
    (tmp_path / "out" / "latest_checkpointed_iteration.txt").write_text("4")
    assert not list(resume_faults(run, 1000))
    push("second")
    [fault] = resume_faults(run, 1000)
    assert "questions='first', not 'second'" in fault


def test_the_form_of_prompts_is_written_beside_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = config(tmp_path, "steps=10")
    write_run_file(run)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("4")
    assert "transformers 5.10" in json.loads((tmp_path / "run.json").read_text())["prompt"]
    monkeypatch.setattr(run_folder, "keeps_outer_tokens", lambda: False)
    [fault] = resume_faults(run, 1000)
    assert "(transformers 5.9)" in fault
