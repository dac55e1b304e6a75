"""Starts the reward service for NeMo Gym, which passes all servers' settings and this server's name in the environment."""

import os
import sys

import yaml

all_settings = yaml.safe_load(os.environ["NEMO_GYM_CONFIG_DICT"])
settings = all_settings[os.environ["NEMO_GYM_CONFIG_PATH"]]["resources_servers"]["videossr"]
command = [sys.executable, "-m", "dataset_builder.cli", "serve", "--host", settings["host"], "--port", str(settings["port"])]
os.execv(sys.executable, command)
