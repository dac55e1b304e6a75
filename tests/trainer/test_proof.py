"""The proof run, three steps of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from dataset_builder import tasks
from trainer.proof import DEFAULT, prove, random_answer


def test_three_steps_leave_a_curve(tmp_path: Path, footage: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    filtered = ("trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact",)
    recipe = replace(DEFAULT, steps=3, warm_up=60, batch=4, n=2, more=filtered)
    [curve] = prove(recipe, [5], tmp_path, footage, lambda *told: seen.append(told))
    assert json.loads((tmp_path / "curve.json").read_text())["curves"][0]["reward"] == list(curve.reward)
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    assert len(curve.reward) == len(curve.answered) == 3
    assert curve.answered[0] > 0.5, "the warm-up teaches the form"
    assert all(0 < reward < 1 for reward in curve.reward)
    assert seen[-1][:2] == (3, 3)
    steps = [json.loads(line)["data"] for line in (tmp_path / "seed-5" / "metrics.jsonl").read_text().splitlines()]
    asked_anew = sum(step.get("training/filter_groups/evicted_samples", 0) for step in steps)
    assert asked_anew > 0, "of two answers, both are often equally right"


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_warm_up_says_nothing_of_the_question(shuffled: bool) -> None:
    times = [0.0, 1.0, 2.0, 3.0, 4.0]
    info = {"params": "{}", "frame_times": [times]}
    questions = [{"reward_model": {"ground_truth": truth}, "extra_info": info} for truth in ("1-2", "2-3", "3-4")]
    answer, rng = random_answer(tasks.get("grounding"), questions, shuffled), Random(0)
    said = {one["reward_model"]["ground_truth"]: Counter(answer(one, rng) for _ in range(900)) for one in questions}
    forms = 3 if shuffled else 10
    for answers in said.values():
        assert len(answers) == forms
        assert all(abs(number - 900 / forms) < 5 * (900 / forms) ** 0.5 for number in answers.values()), "whatever the question"
