"""Writes a run as an Inspect log by our command, and reads it with inspect-ai. Prints what it holds, as JSON."""

import json
import sys

from inspect_ai.log import read_eval_log

from eval.__main__ import main

assert main(["export", "inspect", sys.argv[1], "--out", sys.argv[2]]) == 0
log = read_eval_log(sys.argv[2])
assert log.results
assert log.samples
print(
    json.dumps(
        {
            "model": log.eval.model,
            "status": log.status,
            "scores": {
                score.name: {name: metric.value for name, metric in score.metrics.items()} for score in log.results.scores
            },
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
