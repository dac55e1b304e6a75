"""OpenEnv 0.10's GenericEnvClient plays episodes. Prints observations and rewards, as JSON."""

import asyncio
import json
import sys

from openenv.core.generic_client import GenericEnvClient

url = sys.argv[1]


async def main() -> None:
    found = []
    async with GenericEnvClient(base_url=f"{url}/openenv/counting") as env:
        began = await env.reset(ground_truth="3,1,4", prompt="How many?", episode_id="e1")
        found.append([began.observation, began.reward, began.done])
        for answer in ("3,1,4", "3,1,5"):
            step = await env.step({"response": f"<answer>{answer}</answer>"})
            found.append([step.observation["parsed"], step.reward, step.done])
        found.append(await env.state())
        try:
            await env.step({"response": "1", "task": "jigsaw", "ground_truth": "1"})
        except RuntimeError as error:
            found.append(str(error))
    async with GenericEnvClient(base_url=url) as env:
        await env.reset(task="jigsaw", ground_truth="312")
        step = await env.step({"response": "312"})
        found.append([step.observation["parsed"], step.reward, step.done])
    print(json.dumps(found))


asyncio.run(main())
