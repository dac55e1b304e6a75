"""The proof run, three steps of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from trainer.proof import DEFAULT, prove


def test_three_steps_leave_a_curve(tmp_path: Path, footage: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    filtered = ("trainer.v1.sampler.sampler_kwargs.filter_groups_metric=acc",)
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
