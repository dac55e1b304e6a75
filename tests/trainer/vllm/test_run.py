"""verl's own vLLM rollout, with our engine and weight sync: what vLLM samples from is what is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from trainer.proof.model import make_model
from trainer.proof.recipe import DEFAULT

from ...servers import Server
from ..runs import start, steps

RECIPE = replace(DEFAULT, rollout="vllm", frames=12, steps=2, warm_up=120, batch=6, n=4, updates=1)
MIXTURE = "preset=videossr-30k"
VERLS_PROMPT = "actor_rollout_ref.model.external_lib=tests.trainer.vllm.verls_prompt"
Run = Callable[..., list[dict[str, float]]]


@pytest.fixture(scope="module")
def run(kernels: None, tmp_path_factory: pytest.TempPathFactory, footage: Path, clip_cache: str, server: Server) -> Run:
    """Trains the same warmed-up model. Returns the metrics of each step."""
    folder = tmp_path_factory.mktemp("vllm")
    settings = [
        f"data=live:{footage}", f"model={folder / 'model'}", f"reward_url={server.url}", f"data.videossr.clip_cache={clip_cache}",
        "seed=1", *RECIPE.settings(), MIXTURE, "actor_rollout_ref.actor.optim.lr_warmup_steps=0",
    ]  # fmt: skip
    make_model(folder / "model", RECIPE, settings, seed=1)

    def train(name: str, *more: str) -> list[dict[str, float]]:
        process = start([*settings, f"out={folder / name}", *more], folder, name)
        assert process.wait(900) == 0, (folder / f"{name}.log").read_text()[-5000:]
        return steps(folder, name)

    return train


def test_vllm_samples_from_what_is_trained(run: Run) -> None:
    metrics = run("ours")
    assert len(metrics) == 2
    assert all(step["training/rollout_probs_diff_mean"] < 1e-4 for step in metrics)
    assert {"portion/counting/score", "portion/jigsaw/score"} <= metrics[0].keys() | metrics[1].keys()
    assert metrics[1]["actor/kl_loss"] > 0, "the weights have moved, in vLLM too"


def test_the_comparison_notices_verls_own_prompt(run: Run) -> None:
    metrics = run("verls", VERLS_PROMPT, "steps=1")
    assert fmean(step["training/rollout_probs_diff_mean"] for step in metrics) > 1e-3
