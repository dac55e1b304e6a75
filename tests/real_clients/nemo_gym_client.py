"""NeMo Gym 0.4's ServerClient verifies a rollout. Prints the replies, as JSON."""

import asyncio
import json
import sys
from unittest.mock import MagicMock
from urllib.parse import urlsplit

address = urlsplit(sys.argv.pop())  # it parses what is left with hydra
for unused in ("ray", "wandb", "wandb.util", "mlflow"):  # its package imports them; its client does without
    sys.modules[unused] = MagicMock(__version__="0", __spec__=None)
from nemo_gym.config_types import AggregateMetrics, BaseServerConfig
from nemo_gym.server_utils import ServerClient
from omegaconf import OmegaConf

row = {
    "task": "counting",
    "ground_truth": "3,1,4",
    "_ng_task_index": 0,
    "_ng_rollout_index": 0,
    "responses_create_params": {"input": []},
}


async def main() -> None:
    server = {
        "videossr": {"resources_servers": {"rewards": {"host": address.hostname, "port": address.port, "entrypoint": "app.py"}}}
    }
    client = ServerClient(
        head_server_config=BaseServerConfig(host="127.0.0.1", port=1), global_config_dict=OmegaConf.create(server)
    )
    seeded = await client.post("videossr", "/seed_session", json=row)
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "<answer>3,1,5</answer>"}]}]
    verified = await client.post("videossr", "/verify", json={**row, "response": {"output": output}})
    reply = await verified.json()
    metrics = await (await client.post("videossr", "/aggregate_metrics", json={"verify_responses": [reply]})).json()
    AggregateMetrics.model_validate(metrics)
    print(json.dumps([seeded.status, client.poll_for_status("videossr"), reply, metrics["key_metrics"]]))


asyncio.run(main())
