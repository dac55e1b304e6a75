#!/usr/bin/env bash
# slime with rewards from the service; miles takes the same.
#   DATA  JSON lines with `prompt` (chat messages), `label` (see README) and `images`
#   videossr serve --port 8000
set -euo pipefail
: "${HF_MODEL:?a Hugging Face checkpoint}" "${DATA:?JSON lines}" "${REWARD_URL:=http://localhost:8000}"
python train.py \
  --hf-checkpoint "$HF_MODEL" --actor-num-nodes 1 --actor-num-gpus-per-node 8 --colocate \
  --prompt-data "$DATA" --input-key prompt --label-key label --apply-chat-template --multimodal-keys '{"image": "images"}' \
  --rm-type remote_rm --rm-url "$REWARD_URL/slime" \
  --advantage-estimator grpo --use-kl-loss --kl-loss-coef 1e-3 --kl-loss-type low_var_kl --lr 1e-6 \
  --num-rollout 500 --rollout-batch-size 64 --n-samples-per-prompt 8 --global-batch-size 512 --rollout-max-response-len 2048 "$@"
