"""NeMo Gym 0.4 reads our example, whose server is started as Gym does, and verifies a rollout. Prints the replies, as JSON."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

python = sys.argv.pop()  # where the service is installed; Gym parses what is left with hydra
for unused in ("ray", "wandb", "wandb.util", "mlflow"):  # its package imports them; its client does without
    sys.modules[unused] = MagicMock(__version__="0", __spec__=None)
from nemo_gym.config_types import AggregateMetrics, BaseServerConfig
from nemo_gym.global_config import (
    NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME,
    NEMO_GYM_CONFIG_PATH_ENV_VAR_NAME,
    GlobalConfigDictParser,
    GlobalConfigDictParserConfig,
)
from nemo_gym.server_utils import ServerClient
from omegaconf import OmegaConf

EXAMPLE = Path(__file__).parents[2] / "trainer/examples/nemo_gym"
row = {
    "task": "counting",
    "ground_truth": "3,1,4",
    "_ng_task_index": 0,
    "_ng_rollout_index": 0,
    "responses_create_params": {"input": []},
}


async def talk(client: ServerClient) -> None:
    seeded = await client.post("videossr", "/seed_session", json=row)
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "<answer>3,1,5</answer>"}]}]
    verified = await client.post("videossr", "/verify", json={**row, "response": {"output": output}})
    reply = await verified.json()
    metrics = await (await client.post("videossr", "/aggregate_metrics", json={"verify_responses": [reply]})).json()
    AggregateMetrics.model_validate(metrics)
    print(json.dumps([seeded.status, reply, metrics["key_metrics"]]))


given = {**GlobalConfigDictParserConfig.NO_MODEL_GLOBAL_CONFIG_DICT, "config_paths": [str(EXAMPLE / "videossr.yaml")]}
config = GlobalConfigDictParser().parse_no_environment(OmegaConf.create(given))
own = config.videossr.resources_servers.videossr
told = {NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME: OmegaConf.to_yaml(config), NEMO_GYM_CONFIG_PATH_ENV_VAR_NAME: "videossr"}
server = subprocess.Popen(
    [python, own.entrypoint], cwd=EXAMPLE / "resources_servers/videossr", stdout=sys.stderr, env={**os.environ, **told}
)
try:
    client = ServerClient(head_server_config=BaseServerConfig(host="127.0.0.1", port=1), global_config_dict=config)
    while server.poll() is None and client.poll_for_status("videossr") != "success":
        time.sleep(0.2)
    asyncio.run(talk(client))
finally:
    server.terminate()
    server.wait()
