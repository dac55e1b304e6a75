"""OpenRLHF 0.11's own executor fetches rewards. Run with an environment that holds it; prints what it got, as JSON."""

import asyncio
import json
import sys
import types
from importlib import util
from pathlib import Path

url = sys.argv[1]
spec = util.find_spec("openrlhf")  # its package imports torch; the executor's file does not
assert spec is not None and spec.submodule_search_locations is not None
root = Path(next(iter(spec.submodule_search_locations)))
for name, folder in (("openrlhf", root), ("openrlhf.utils", root / "utils")):
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
from openrlhf.utils.agent import SingleTurnAgentExecutor


async def main() -> None:
    executor = SingleTurnAgentExecutor([f"{url}/openrlhf/counting", f"{url}/get_reward/counting"])
    prompt = "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
    queries = [prompt + f"<answer>3,1,{k}</answer><|im_end|>" for k in range(4)]
    found = []
    for query in queries:
        found += await executor._fetch_rewards_via_http([query], [prompt], ["3,1,4"])
    print(json.dumps(found))


asyncio.run(main())
