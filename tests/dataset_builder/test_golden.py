"""What a seed gives must not change unnoticed. If a change is meant, bump the task's version and put the new hash here."""

from __future__ import annotations

import hashlib

import pytest

from dataset_builder import tasks
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import item_rng
from tests.synthetic import filmed, lively

GOLDEN = {
    ("camera", 1): "32062084014fae37",
    ("changes", 1): "7d93ecd4fd437103",
    ("cloze", 1): "a2a85ef49c208fe6",
    ("compare", 1): "75d06fdb23792aea",
    ("counting", 1): "2fadfe8fa0b26cb8",
    ("cuts", 1): "3101aa4db4711b06",
    ("flashes", 1): "0eedfbac13fbc7ff",
    ("grounding", 1): "518d32e7166214bb",
    ("jigsaw", 1): "459dd0ea8f373dba",
    ("loops", 1): "66b92e3f81e72a22",
    ("moment", 1): "93da168a42f463a5",
    ("motion", 1): "b341fed87ac658ec",
    ("shells", 1): "b029f17a39179407",
    ("tally", 1): "9629ab92b7a33ba5",
    ("tiles", 1): "8d6e5a1ee2c9553a",
}


PRESETS = {
    "videossr-30k": "327d8f8c730f000a",
    "viubench": "10b0cf3d896b307e",
    "suite-bench": "2bed77cd88e707ce",
}
"""Hashes of the columns of what must stay comparable: tasks, levels and parameters."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_published_mixture_stays_as_it_is(name: str) -> None:
    spec = BuildSpec(name)
    columns = [(p.name, p.task.name, p.task.version, p.level.value, sorted(p.params.items()), p.metric) for p in spec.portions]
    content = repr([columns, spec.total, [portion.weight for portion in spec.mixture.portions]])
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == PRESETS[name]


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
