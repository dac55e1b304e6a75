"""Proof that training works, without a GPU: verl's training loop improves a tiny model with rewards over HTTP.

    python -m trainer.proof --out proof

A randomly initialized Qwen3-VL first learns the answer format from random answers. Then GRPO raises its mean reward.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from dataset_builder import tasks

from ..launch import prepare_environment
from .curve import EDGE_STEPS
from .recipe import DEFAULT, LONG
from .run import run_proof

MAX_DIFFERENCE = 1e-4  # between the probabilities of rollouts and of training, in the mean of a step
MIN_RISE = 0.1  # of the mean reward from the first steps to the last, for the proof to succeed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof. Returns 0 if every seed's reward rises by `MIN_RISE`, and rollouts are sampled from what is trained, else 1."""
    parser = argparse.ArgumentParser("python -m trainer.proof", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("proof"), help="folder for models, logs and the curve")
    parser.add_argument("--videos", type=Path, help="a folder of videos (default: rendered sample footage)")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, one run each (default: 0,1,2)")
    parser.add_argument("--task", choices=tasks.names(), help=f"default: {DEFAULT.task}; with --long {LONG.task}")
    parser.add_argument("--steps", type=int, help="number of training steps")
    parser.add_argument("--curriculum", action="store_true", help="let the level follow the rewards")
    parser.add_argument(
        "--long", action="store_true", help="train longer, on a task that needs the video: find when its colours are inverted"
    )
    parser.add_argument(
        "--rollout", choices=("transformers", "vllm"), default="transformers", help="vllm: verl's own, on vLLM's CPU build"
    )
    args = parser.parse_args(arguments)
    prepare_environment(cpu=True)
    from tqdm import tqdm

    from ..cpu.torchvision import make_importable

    make_importable()
    base = LONG if args.long else DEFAULT
    task = tasks.get(args.task or base.task)
    frames = max(base.frames, task.min_frames(task.params(base.difficulty, base.overrides if task.name == base.task else {})))
    recipe = replace(
        base, task=task.name, frames=frames, steps=args.steps or base.steps, curriculum=args.curriculum, rollout=args.rollout
    )
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with tqdm(total=len(seeds) * recipe.steps, unit="step", desc="train") as bar:

        def show_progress(step: int, total: int, message: str) -> None:
            if step > bar.n or message != bar.desc.removesuffix(": "):  # redraw only on changes, to keep log files short
                bar.set_description(message)
                bar.update(step - bar.n)

        curves = run_proof(recipe, seeds, args.out.absolute(), args.videos and args.videos.absolute(), show_progress)
    for curve in curves:
        first, last = fmean(curve.reward[:EDGE_STEPS]), fmean(curve.reward[-EDGE_STEPS:])
        edges = f"{first:.3f} in the first {EDGE_STEPS} steps, {last:.3f} in the last"
        print(f"seed {curve.seed}: mean reward {edges}: {curve.rise:+.3f}")
        print(
            f"seed {curve.seed}: probabilities of rollouts and of training differ by {max(curve.difference):.0e} in the mean, at most"
        )
    print(f"curve: {args.out / 'curve.png'} and curve.json")
    return 0 if all(curve.rise >= MIN_RISE and max(curve.difference) < MAX_DIFFERENCE for curve in curves) else 1


if __name__ == "__main__":
    sys.exit(main())
