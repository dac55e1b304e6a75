"""`python -m trainer`: preflight, then verl's training loop."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from dataset_builder.tasks import UsageError

from .launch import prepare_environment, train

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
EXAMPLES = """\
keys:
  data=…        a build's folder, owner/name on the Hub, or live:VIDEOS (generates questions during training; the level follows the model)
  model=…       a checkpoint folder, or a model name on the Hub
  reward_url=…  one or several reward services, comma-separated; also VIDEOSSR_REWARD_URL (and VIDEOSSR_REWARD_TOKEN)
  recipe=…      one or several of trainer/config/recipes: lora, small, dapo, gspo, drgrpo, frames128
  preset=… difficulty=… seed=… steps=… out=… val_data=…, and any verl key, for example actor_rollout_ref.rollout.n=16

examples:
  python -m trainer data=30k model=Qwen/Qwen3-VL-8B-Instruct reward_url=http://localhost:8000
  python -m trainer data=live:videos model=Qwen/Qwen3-VL-8B-Instruct reward_url=http://a:8000,http://b:8000 --dry-run
  python -m trainer data=live:videos model=Qwen/Qwen3-VL-8B-Instruct trainer.nnodes=2 ray_kwargs.ray_init.address=auto

It first runs a preflight check (--dry-run stops after it and prints the resolved configuration), then trains, resuming from
the last checkpoint in `out` if there is one. Exit codes: 0 success, 1 preflight or training failed, 2 bad arguments.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the preflight and train. Returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m trainer", description="GRPO with verl on VideoSSR tasks, rewards over HTTP.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("settings", nargs="*", metavar="key=value")
    parser.add_argument("--dry-run", action="store_true", help="run the preflight, print the resolved configuration and stop")
    parser.add_argument("--cpu", action="store_true", help="train a tiny model without a GPU")
    parser.add_argument("--card", help="check against this GPU's memory, like H100 (default: that of the GPU in this machine)")
    parser.add_argument("--json", action="store_true", help="with --dry-run: print one JSON object")
    args = parser.parse_intermixed_args(arguments)
    prepare_environment(args.cpu)
    if args.cpu:
        from .cpu.torchvision import make_importable

        make_importable()
    try:
        config = _prepare(args)
    except ModuleNotFoundError as error:
        print(f"trainer: {error.name} is not installed; run `pip install -e '.[train]'`", file=sys.stderr)
        return EXIT_USAGE
    except UsageError as error:
        print(f"trainer: {error}", file=sys.stderr)
        return EXIT_USAGE
    if config is None or args.dry_run:
        return EXIT_FAILED if config is None else EXIT_OK
    from .checks.run_folder import write_run_file

    write_run_file(config)
    try:
        train(config)
    except KeyboardInterrupt:
        print("trainer: interrupted; run the same command to resume from the last checkpoint", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:  # from any of verl's processes; the run's log has the full traceback
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        message = f"training stopped: {lines[-1]}; run the same command to resume from the last checkpoint"
        print(f"trainer: {message}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def _prepare(args: argparse.Namespace) -> Any:
    """Compose the configuration and run the preflight. Returns None, after printing the faults, if it fails."""
    from omegaconf import OmegaConf

    from .checks.preflight import preflight
    from .checks.settings import refused_keys
    from .config.compose import make_config

    if refused := refused_keys(args.settings):
        raise UsageError("; ".join(refused))
    config = make_config(args.settings, cpu=args.cpu)
    passed: list[str] = []

    def report_passed(line: str) -> None:
        passed.append(line)
        if not args.json:
            print(f"✓ {line}", file=sys.stderr)

    faults = preflight(config, card=args.card, report_passed=report_passed)
    if args.json:
        resolved = OmegaConf.to_container(config, resolve=True) if args.dry_run else None
        print(json.dumps({"faults": faults, "in_order": passed, "config": resolved}))
    else:
        for fault in faults:
            print(f"✗ {fault}", file=sys.stderr)
    if args.dry_run and not args.json and not faults:
        print(OmegaConf.to_yaml(config, resolve=True))
    return None if faults else config


if __name__ == "__main__":
    sys.exit(main())
