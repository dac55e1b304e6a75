"""Reads a log with inspect-ai, after writing it from a run by our command if one is named. Prints what it holds, as JSON.

python read_inspect_log.py LOG [RUN]
"""

import json
import sys

from inspect_ai.log import read_eval_log

from eval.__main__ import main

path, *runs = sys.argv[1:]
for run in runs:
    assert main(["export", "inspect", run, "--out", path]) == 0
log = read_eval_log(path)
assert log.results
assert log.samples
print(
    json.dumps(
        {
            "model": log.eval.model,
            "scores": {name: metric.value for score in log.results.scores for name, metric in score.metrics.items()},
            "samples": [
                [
                    one.id,
                    one.target,
                    one.scores["videossr"].value if one.scores else None,
                    one.error.message if one.error else "",
                ]
                for one in log.samples
            ],
        }
    )
)
