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

DONE, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130
EXAMPLES = """\
keys:
  data=…        a build's folder, owner/name on the Hub, or live:VIDEOS (made while training goes on, level follows the model)
  model=…       a checkpoint's folder, or a name on the Hub
  reward_url=…  the reward service, or several, comma-separated; also VIDEOSSR_REWARD_URL (and VIDEOSSR_REWARD_TOKEN)
  preset=… difficulty=… seed=… steps=… out=… val_data=…, and every key of verl, as actor_rollout_ref.rollout.n=16

examples:
  python -m trainer data=30k model=Qwen/Qwen3-VL-8B-Instruct reward_url=http://localhost:8000
  python -m trainer data=live:videos model=Qwen/Qwen3-VL-8B-Instruct reward_url=http://a:8000,http://b:8000 --dry-run
  python -m trainer data=live:videos model=Qwen/Qwen3-VL-8B-Instruct trainer.nnodes=2 ray_kwargs.ray_init.address=auto

It begins with a look at everything that could fail (--dry-run ends there, and shows the resolved configuration), and goes on
from the last checkpoint in `out` if there is one. Exit codes: 0 trained or in order, 1 a fault, 2 bad arguments.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m trainer", description="GRPO with verl on VideoSSR tasks, rewards over HTTP.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("settings", nargs="*", metavar="key=value")
    parser.add_argument("--dry-run", action="store_true", help="preflight and the resolved configuration; nothing is started")
    parser.add_argument("--cpu", action="store_true", help="without a GPU, for a tiny model")
    parser.add_argument("--json", action="store_true", help="with --dry-run: one JSON object")
    given = parser.parse_intermixed_args(arguments)
    prepare_environment(given.cpu)
    if given.cpu:
        from .cpu.torchvision import make_importable

        make_importable()
    try:
        config = _prepare(given)
    except ModuleNotFoundError as error:
        print(f"trainer: {error.name} is not installed; `pip install -e '.[train]'` brings it", file=sys.stderr)
        return USAGE
    except UsageError as error:
        print(f"trainer: {error}", file=sys.stderr)
        return USAGE
    if config is None or given.dry_run:
        return FAULTS if config is None else DONE
    from .run_folder import mark

    mark(config)
    try:
        train(config)
    except KeyboardInterrupt:
        print("trainer: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # of whatever process: the run's own log has all of it
        traceback.print_exc()
        last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        print(f"trainer: training stopped: {last[0]}; the same command goes on from the last checkpoint", file=sys.stderr)
        return FAULTS
    return DONE


def _prepare(given: argparse.Namespace) -> Any:
    """The configuration, looked through; None if something is wrong with it, which has been told."""
    from omegaconf import OmegaConf

    from .configuration import make_config
    from .preflight import legacy_faults, preflight

    legacy = legacy_faults(given.settings)
    if legacy:
        raise UsageError("; ".join(legacy))
    config = make_config(given.settings, cpu=given.cpu)
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if not given.json:
            print(f"✓ {line}", file=sys.stderr)

    faults = preflight(config, told=tell)
    if given.json:
        shown = OmegaConf.to_container(config, resolve=True) if given.dry_run else None
        print(json.dumps({"faults": faults, "in_order": told, "config": shown}))
    else:
        for fault in faults:
            print(f"✗ {fault}", file=sys.stderr)
    if given.dry_run and not given.json and not faults:
        print(OmegaConf.to_yaml(config, resolve=True))
    return None if faults else config


if __name__ == "__main__":
    sys.exit(main())
