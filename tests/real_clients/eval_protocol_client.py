"""eval-protocol 0.3's remote RewardFunction. Prints scores, as JSON."""

import json
import sys

from eval_protocol.reward_function import RewardFunction

url = sys.argv[1]
found = []
for endpoint, extra in ((f"{url}/eval-protocol/counting", {}), (f"{url}/eval-protocol", {"task": "counting"})):
    reward = RewardFunction(mode="remote", endpoint=endpoint)
    chat = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "<answer>3,1,5</answer>"}]
    result = reward(messages=chat, ground_truth="3,1,4", **extra)
    found.append([result.score, result.reason, result.metrics["exact"].score, result.metrics["exact"].is_score_valid])
print(json.dumps(found))
