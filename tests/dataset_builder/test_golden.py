"""What a seed gives must not change unnoticed. If a change is meant, bump the task's version and put the new hash here."""

from __future__ import annotations

import hashlib

import pytest

from dataset_builder import tasks
from dataset_builder.tasks import item_rng
from tests.synthetic import filmed, lively

GOLDEN = {
    ("counting", 1): "2fadfe8fa0b26cb8",
    ("grounding", 1): "518d32e7166214bb",
    ("jigsaw", 1): "459dd0ea8f373dba",
}


def recipes(name: str) -> str:
    """Hash of question, answer and edit list over levels and seeds."""
    task = tasks.get(name)
    digest = hashlib.sha256()
    for level in ("easy", "medium", "hard", "extreme", 0.5):
        for seed in range(10):
            clip = (lively if task.in_mixed else filmed)(seed)
            plan = task.plan(clip, item_rng(task, clip.fingerprint, seed, 0), task.params(level))
            digest.update("\n".join([plan.question, plan.answer.format(), plan.edits.to_json()]).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("name", tasks.names())
def test_the_same_seed_gives_the_same_recipes(name: str) -> None:
    key = name, tasks.get(name).version
    assert GOLDEN.get(key) == recipes(name), f"GOLDEN has another hash for {key}, or none"
