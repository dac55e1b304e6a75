"""TRL's GRPOTrainer with rewards from the service: frames as images, each behind its time.

    videossr export trl 30k --out 30k-trl
    accelerate launch trainer/examples/trl_grpo.py --data 30k-trl/train.parquet --model Qwen/Qwen3-VL-8B-Instruct

Needs `pip install trl==1.16.0 datasets httpx pillow`; keep verl in another environment, it does not work beside this TRL.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout

from trainer.cpu.torchvision import make_importable

make_importable()  # does nothing but beside a CPU build of torch

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

from reward_service.clients.trl import reward_function


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="train.parquet of `videossr export trl`")
    parser.add_argument("--model", required=True)
    parser.add_argument("--reward-url", default="http://localhost:8000")
    parser.add_argument("--out", default="runs/trl")
    parser.add_argument("--steps", type=int, default=-1, help="all of an epoch without it")
    parser.add_argument("--prompts", type=int, default=8, help="a step, on each GPU")
    parser.add_argument("--rollouts", type=int, default=8, help="of each prompt")
    parser.add_argument("--at-once", type=int, default=2, help="rollouts in a backward pass, on each GPU")
    parser.add_argument("--completion-length", type=int, default=2048)
    parser.add_argument("--cpu", action="store_true")
    given = parser.parse_args()
    config = GRPOConfig(
        output_dir=given.out, max_steps=given.steps, num_generations=given.rollouts, learning_rate=1e-6, beta=1e-3,
        per_device_train_batch_size=given.at_once, gradient_accumulation_steps=-(-given.prompts * given.rollouts // given.at_once),
        max_completion_length=given.completion_length,
        logging_steps=1, save_strategy="no", report_to=[], use_cpu=given.cpu, bf16=not given.cpu, remove_unused_columns=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=given.model,
        reward_funcs=reward_function(url=given.reward_url),
        args=config,
        train_dataset=load_dataset("parquet", data_files=given.data, split="train"),
    )
    trainer.train()


if __name__ == "__main__":
    main()
