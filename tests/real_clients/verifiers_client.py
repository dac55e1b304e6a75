"""verifiers 0.4's NeMoGymTask sets up and scores a rollout. Prints reward and metrics, as JSON."""

import asyncio
import json
import sys
from typing import Any, cast

from verifiers.v1.graph import MessageNode
from verifiers.v1.tasksets.nemo_gym.taskset import NeMoGymData, NeMoGymTask, NeMoGymTaskConfig
from verifiers.v1.tasksets.nemo_gym.toolset import NeMoGymState
from verifiers.v1.trace import Trace, TraceTask
from verifiers.v1.types import AssistantMessage, UserMessage

url, token = sys.argv[1:]
row = {"ground_truth": "3,1,4", "responses_create_params": {"input": [{"role": "user", "content": "How many?"}]}}


async def main() -> None:
    config = NeMoGymTaskConfig(resources_url=f"{url}/nemo-gym/counting", headers={"Authorization": f"Bearer {token}"})
    task = NeMoGymTask(NeMoGymData(name="one", prompt="How many?", row=row), config)
    asked = MessageNode(message=UserMessage(content="How many?"))
    said = MessageNode(message=AssistantMessage(content="<answer>3,1,5</answer>"), parent=0, sampled=True)
    trace: Any = Trace.model_construct(
        id="t1",
        task=TraceTask(type="NeMoGymTask", data=task.data),
        nodes=[asked, said],
        calls=[],
        metrics={},
        info={},
        rewards={},
    )
    trace.state = NeMoGymState()
    await task.setup(trace, cast(Any, None))
    reward = await task.nemo_gym(trace)
    print(json.dumps([reward, trace.metrics]))


asyncio.run(main())
