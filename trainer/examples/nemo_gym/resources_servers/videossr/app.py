"""The reward service as NeMo Gym starts its servers: with everybody's settings in the environment, and a name to find its own by."""

import os
import sys

import yaml

told = yaml.safe_load(os.environ["NEMO_GYM_CONFIG_DICT"])
own = told[os.environ["NEMO_GYM_CONFIG_PATH"]]["resources_servers"]["videossr"]
serve = [sys.executable, "-m", "dataset_builder.cli", "serve", "--host", own["host"], "--port", str(own["port"])]
os.execv(sys.executable, serve)
