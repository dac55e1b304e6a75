"""TRL 1.16's own reward step, with our reward function, alone and beside another. Prints the rewards, as JSON."""

import json
import sys
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from trainer.cpu.torchvision import make_importable

make_importable()

from accelerate import Accelerator
from trl import GRPOTrainer

from reward_service.clients.trl import reward_function


def rewards(*functions: Any, truths: list[str]) -> tuple[Any, dict[str, Any]]:
    """What a trainer that is made no further than its reward step needs makes of four completions."""
    trainer = GRPOTrainer.__new__(GRPOTrainer)
    trainer.accelerator = Accelerator(cpu=True)
    trainer.args = SimpleNamespace(report_to=[])
    trainer.state = SimpleNamespace(global_step=3)
    trainer.environments = None
    trainer.reward_funcs = list(functions)
    trainer.reward_processing_classes = [None] * len(functions)
    trainer.reward_func_names = [function.__name__ for function in functions]
    trainer._pending_metrics = defaultdict(list)
    trainer._pending_extra_logs = defaultdict(list)
    info = {"index": 4, "split": "train", "level_name": "hard"}
    inputs = [{"prompt": [], "data_source": "videossr/counting", "ground_truth": truth, "extra_info": info} for truth in truths]
    completions = [[{"role": "assistant", "content": f"<answer>3,1,{k}</answer>"}] for k in range(len(truths))]
    found = trainer._calculate_rewards(inputs, [[]] * len(truths), completions, [[1]] * len(truths))
    return found.tolist(), {name: len(values) for name, values in trainer._pending_metrics.items()}


def other(completions: Any, **columns: Any) -> list[float]:
    return [1.0] * len(completions)


ours = reward_function(url=sys.argv[1])
told = [rewards(ours, truths=["3,1,4"] * 4), rewards(ours, truths=["3,1,4", "3", "3,1,4", "3,1,4"])]
try:
    rewards(ours, other, truths=["3,1,4", "3", "3,1,4", "3,1,4"])
except RuntimeError as error:
    raised = str(error)
print(json.dumps([*told, raised]))
