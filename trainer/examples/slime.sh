#!/usr/bin/env bash
# slime with the reward service; miles takes the same flags. The flags are checked against slime's source; it has not been run.
#   DATA          JSON lines with `prompt` (chat messages), `label` (README, "The reward service") and `images`
#   MODEL_SCRIPT  the script in slime's scripts/models/ that sets MODEL_ARGS, Megatron's arguments for the model
#   REF_LOAD      the model converted for Megatron by slime's tools: the start of training and the reference for KL
#   videossr serve --port 8000
set -euo pipefail
: "${HF_MODEL:?a Hugging Face checkpoint}" "${REF_LOAD:?the same, converted}" "${DATA:?JSON lines}" "${REWARD_URL:=http://localhost:8000}"
source "${MODEL_SCRIPT:?of slime, which sets MODEL_ARGS}"
python train.py \
  "${MODEL_ARGS[@]}" --hf-checkpoint "$HF_MODEL" --ref-load "$REF_LOAD" --actor-num-nodes 1 --actor-num-gpus-per-node 8 --colocate \
  --prompt-data "$DATA" --input-key prompt --label-key label --apply-chat-template --multimodal-keys '{"image": "images"}' \
  --rm-type remote_rm --rm-url "$REWARD_URL/slime" \
  --advantage-estimator grpo --use-kl-loss --kl-loss-coef 1e-3 --kl-loss-type low_var_kl --lr 1e-6 \
  --num-rollout 500 --rollout-batch-size 64 --n-samples-per-prompt 8 --global-batch-size 512 --rollout-max-response-len 2048 "$@"
