"""TRL's GRPOTrainer with the reward service. Frames are passed as images, each after its time.

    videossr export trl 30k --out 30k-trl
    accelerate launch --num_processes 8 --mixed_precision bf16 --use_fsdp --fsdp_version 2 --fsdp_reshard_after_forward true \\
        --fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP --fsdp_activation_checkpointing true \\
        trainer/examples/trl_grpo.py --data 30k-trl/train.parquet --model Qwen/Qwen3-VL-8B-Instruct --vllm

Needs `pip install trl==1.16.0 datasets httpx pillow`; install verl in another environment, as it does not work with this TRL version.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout's root

from trainer.cpu.torchvision import make_importable

make_importable()  # only has an effect with a CPU build of torch

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

from reward_service.clients.trl import reward_function


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="train.parquet of `videossr export trl`")
    parser.add_argument("--model", required=True)
    parser.add_argument("--reward-url", default="http://localhost:8000")
    parser.add_argument("--out", default="runs/trl")
    parser.add_argument("--steps", type=int, default=-1, help="number of training steps (default: one epoch)")
    parser.add_argument("--prompts", type=int, default=8, help="prompts per step and GPU")
    parser.add_argument("--rollouts", type=int, default=8, help="rollouts per prompt")
    parser.add_argument("--at-once", type=int, default=2, help="rollouts per backward pass and GPU")
    parser.add_argument("--completion-length", type=int, default=2048)
    parser.add_argument("--vllm", action="store_true", help="generate with vLLM, on the same GPUs")
    parser.add_argument("--cpu", action="store_true")
    args = parser.parse_args()
    config = GRPOConfig(
        output_dir=args.out, max_steps=args.steps, num_generations=args.rollouts, learning_rate=1e-6, beta=1e-3,
        per_device_train_batch_size=args.at_once, gradient_accumulation_steps=-(-args.prompts * args.rollouts // args.at_once),
        max_completion_length=args.completion_length, loss_type="grpo",  # the paper's; TRL's default is DAPO's
        use_vllm=args.vllm, vllm_mode="colocate", vllm_gpu_memory_utilization=0.4, vllm_enable_sleep_mode=True,
        logging_steps=1, save_strategy="no", report_to=[], use_cpu=args.cpu, bf16=not args.cpu, remove_unused_columns=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=args.model,
        reward_funcs=reward_function(url=args.reward_url),
        args=config,
        train_dataset=load_dataset("parquet", data_files=args.data, split="train"),
    )
    trainer.train()


if __name__ == "__main__":
    main()
