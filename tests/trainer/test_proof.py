"""Three steps of the proof run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean

import httpx
import pytest

from dataset_builder import tasks
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build
from trainer.proof.model import random_answer
from trainer.proof.recipe import DEFAULT
from trainer.proof.run import run_proof

from ..servers import ROOT


def test_three_steps_leave_a_curve(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    reports: list[tuple[int, int, str]] = []
    spec = BuildSpec("counting", seed=7, samples=8, frames=4, max_pixels=4096, difficulty="easy")
    build(spec, footage, tmp_path / "held-out", cache=ClipCache.of(clip_cache))
    more = (
        "trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact", f"val_data={tmp_path / 'held-out'}", "trainer.test_freq=3",
        "data.val_max_samples=6", f"trainer.validation_data_dir={tmp_path / 'validation'}",
    )  # fmt: skip
    recipe = replace(DEFAULT, steps=3, warm_up=60, batch=4, n=2, more=more)
    [curve] = run_proof(recipe, [5], tmp_path, footage, lambda *report: reports.append(report))
    assert json.loads((tmp_path / "curve.json").read_text())["curves"][0]["reward"] == list(curve.reward)
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    assert len(curve.reward) == len(curve.answered) == 3
    assert curve.answered[0] > 0.5, "the warm-up teaches the format"
    assert all(0 < reward < 1 for reward in curve.reward)
    assert max(curve.difference) < 1e-6, "packed sequences have the probabilities that they were sampled with"
    assert reports[-1][:2] == (3, 3)
    steps = [json.loads(line)["data"] for line in (tmp_path / "seed-5" / "metrics.jsonl").read_text().splitlines()]
    evicted = sum(step.get("training/filter_groups/evicted_samples", 0) for step in steps)
    assert evicted > 0, "two rollouts often have the same score"
    answers = [json.loads(line) for line in (tmp_path / "validation" / "3.jsonl").read_text().splitlines()]
    scores = [tasks.get("counting").score(answer["output"], answer["gts"]).score for answer in answers]
    assert len(scores) == 6
    assert steps[2]["val/counting/score"] == steps[2]["val/mean"] == pytest.approx(fmean(scores)), "the evaluator's number"


@pytest.mark.parametrize("shuffled", [False, True])
def test_warm_up_answers_do_not_depend_on_the_question(shuffled: bool) -> None:
    times = [0.0, 1.0, 2.0, 3.0, 4.0]
    info = {"params": "{}", "frame_times": [times]}
    questions = [
        {"data_source": "videossr/grounding", "reward_model": {"ground_truth": truth}, "extra_info": info}
        for truth in ("1-2", "2-3", "3-4")
    ]
    draw_reply, rng = random_answer(questions, shuffled), Random(0)
    distinct = 3 if shuffled else 10
    for question in questions:
        counts = Counter(draw_reply(question, rng) for _ in range(900))
        assert len(counts) == distinct
        assert all(abs(count - 900 / distinct) < 5 * (900 / distinct) ** 0.5 for count in counts.values())


def test_a_killed_proof_ends_its_service(tmp_path: Path) -> None:
    program = "import sys, time; from pathlib import Path; from trainer.proof.service import reward_service\nwith reward_service(Path(sys.argv[1])) as url: print(url, flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as proof:
        assert proof.stdout is not None
        url = proof.stdout.readline().strip()
        assert _answers(url)
        proof.kill()
    deadline = time.monotonic() + 60
    while _answers(url):
        assert time.monotonic() < deadline, "the service has outlived the proof"
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/health", trust_env=False)
    except httpx.TransportError:
        return False
    return True
