"""Prompts and first tokens as the evaluator's in-process backend has them: python first_tokens.py MODEL RUN. Prints JSON.

For each question of one video: its id, the prompt's tokens, and the log-probability of the likeliest first token.
"""

import json
import sys

from trainer.cpu.torchvision import make_importable

make_importable()

import torch
from eval.backends.local import Local
from eval.frames import Frames
from eval.run import Run

local = Local(sys.argv[1])
local._load()
run = Run.read(sys.argv[2])
frames = Frames(run.benchmark.sampling)
for sample in run.benchmark.samples:
    videos = frames.of(sample)
    if len(videos) == 1:
        inputs = local._make_inputs(sample, videos)
        with torch.inference_mode():
            logits = local._model(**inputs).logits[0, -1].float()
        best = float(torch.log_softmax(logits, -1).max())
        print(json.dumps([sample.id, inputs["input_ids"][0].tolist(), best]))
