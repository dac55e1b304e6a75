"""Whose checkpoints a run goes on from."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from trainer.configuration import make_config
from trainer.run_folder import checkpoint, mark, resume_faults


def config(out: Path, *more: str) -> DictConfig:
    given = {"data": "data=live:clips", "model": "model=m", "reward_url": "reward_url=http://localhost:9", "out": f"out={out}"}
    given |= {one.partition("=")[0]: one for one in more}
    return make_config(list(given.values()), cpu=True)


def test_a_run_goes_on_from_its_own_checkpoints_alone(tmp_path: Path) -> None:
    own = config(tmp_path, "steps=10")
    assert checkpoint(own) is None
    assert not list(resume_faults(own, 1000))
    mark(own)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("4")
    assert checkpoint(own) == 4
    assert not list(resume_faults(own, 1000))
    assert not list(resume_faults(config(tmp_path, "steps=10", "difficulty=hard", "data.videossr.ahead=5"), 1000))
    [other] = resume_faults(config(tmp_path, "steps=10", "model=n", "seed=3"), 1000)
    assert (
        other
        == f"out={str(tmp_path)!r} holds another run's checkpoint of step 4: model='m', not 'n'; seed=0, not 3; questions="
        + other.partition("questions=")[2]
    )
    assert other.endswith("give another out=")
    [ended] = resume_faults(config(tmp_path, "steps=4"), 1000)
    assert "has ended, with step 4 of 4; give another out=, or more steps=" in ended
    batch = own.data.train_batch_size
    [ended] = resume_faults(config(tmp_path), 4 * batch)
    assert "step 4 of 4" in ended
    assert not list(resume_faults(config(tmp_path), 5 * batch))
    assert checkpoint(config(tmp_path, "trainer.resume_mode=disable")) is None
