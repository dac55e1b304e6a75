"""verl 0.9.1 loads our reward function and our manager by its own configuration, and scores two groups. Prints results, as JSON."""

import asyncio
import json
import sys
from typing import Any

from trainer.cpu.torchvision import make_importable

make_importable()

import numpy as np
import torch
from hydra import compose, initialize_config_module
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

url = sys.argv[1]
FUNCTION = [
    "reward.custom_reward_function.path=pkg://reward_service.clients.verl",
    "reward.custom_reward_function.name=compute_score",
]
MANAGER = [
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RemoteRewardManager",
    "reward.reward_manager.module.path=pkg://reward_service.clients.verl_manager",
]


class Characters:
    """A tokenizer whose tokens are characters."""

    def decode(self, ids: Any, skip_special_tokens: bool) -> str:
        return "".join(map(chr, ids.tolist()))


def rollout(text: str, uid: str, session: int, truth: str = "3,1,4") -> DataProto:
    ids = torch.tensor([list(map(ord, text))])
    fields = {
        "data_source": "videossr/counting",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"index": 0, "level_name": "hard", "chance": 0.5, "num_turns": np.int64(2)},
        "uid": uid,
        "session_id": session,
        "global_steps": 5,
        "__num_turns__": np.int64(2),
    }
    arrays = {key: np.array([value], dtype=object) for key, value in fields.items()}
    return DataProto.from_dict({"responses": ids, "attention_mask": torch.ones_like(ids)}, arrays)


async def main() -> None:
    found = []
    for overrides in (FUNCTION, MANAGER):
        with initialize_config_module("verl.trainer.config", version_base=None):
            config = compose("ppo_trainer", [*overrides, f"+reward.custom_reward_function.reward_kwargs.url={url}"])
        manager = load_reward_manager(config, Characters())
        rollouts = [rollout(f"<answer>3,1,{k}</answer>", f"u{k // 4}", k % 4) for k in range(8)]
        results = await asyncio.gather(*map(manager.run_single, rollouts))
        found.append([[result["reward_score"], sorted(result["reward_extra_info"])] for result in results])
        try:
            await manager.run_single(rollout("3,1,4", "u9", 0, truth="3"))
        except RuntimeError as error:
            found.append(str(error))
    print(json.dumps(found))


asyncio.run(main())
