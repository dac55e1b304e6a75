"""Runs a proof: a reward service, a model, and `python -m trainer` for each seed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from ..launch import ROOT
from .curve import Curve, plot, read_curve
from .model import make_model
from .recipe import Recipe
from .service import reward_service


def run_proof(
    recipe: Recipe,
    seeds: Sequence[int],
    out: Path,
    videos: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda step, total, message: None,
) -> list[Curve]:
    """Train once per seed, and write `curve.png` and `curve.json` to `out`.

    Args:
        videos: folder of videos; None renders sample footage.
        progress: called with (steps completed, steps of all seeds, message).

    Raises:
        RuntimeError: if a run fails; its log is in `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    if videos is None:
        from dataset_builder.demo.footage import render_footage

        videos = out / "videos"
        render_footage(videos)
    curves = []
    total = len(seeds) * recipe.steps
    with reward_service(out / "service.log") as url:
        for number, seed in enumerate(seeds):

            def report(step: int, message: str = f"seed {seed}", offset: int = number * recipe.steps) -> None:
                progress(offset + step, total, message)

            folder = out / f"seed-{seed}"
            settings = [
                f"data=live:{videos}", f"model={folder / 'model'}", f"reward_url={url}", f"seed={seed}",
                f"out={folder / 'checkpoints'}", f"data.videossr.clip_cache={out / 'clips'}", *recipe.settings(),
            ]  # fmt: skip
            loss = make_model(folder / "model", recipe, settings, seed)
            report(0, f"seed {seed}: warm-up finished (loss {loss:.2f})")
            curves.append(_train(settings, folder, seed, report))
    result = {"recipe": asdict(recipe), "curves": [asdict(curve) for curve in curves]}
    (out / "curve.json").write_text(json.dumps(result, indent=2))
    plot(curves, recipe, out / "curve.png")
    return curves


def _train(settings: Sequence[str], folder: Path, seed: int, report: Callable[[int], None]) -> Curve:
    log, metrics = folder / "train.log", folder / "metrics.jsonl"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer.proof.child", "trainer", "--cpu", *settings], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, "VERL_FILE_LOGGER_PATH": str(metrics)},
        )  # fmt: skip
        try:
            while process.poll() is None:
                time.sleep(0.5)
                report(len(metrics.read_text().splitlines()) if metrics.exists() else 0)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
    if process.returncode:
        raise RuntimeError(f"training with seed {seed} ended with exit code {process.returncode}; its log is {log}")
    return read_curve(metrics, seed)
