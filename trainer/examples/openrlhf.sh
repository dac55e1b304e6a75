#!/usr/bin/env bash
# OpenRLHF 0.11 with rewards from the service.
#   DATA  a dataset or JSON-lines file with `prompt` (chat messages), `label` (see README, "Labels") and `images` (paths of frames)
#   videossr serve --port 8000
set -euo pipefail
: "${MODEL:?a model}" "${DATA:?a dataset}" "${REWARD_URL:=http://localhost:8000}"
python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path "$MODEL" --reward.remote_url "$REWARD_URL/openrlhf" \
  --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key label --data.apply_chat_template \
  --data.image_key images --data.max_images_per_prompt 48 --data.max_len 10240 \
  --algo.advantage.estimator group_norm --algo.kl.use_loss --algo.kl.init_coef 1e-3 --algo.kl.estimator k3 \
  --rollout.n_samples_per_prompt 8 --rollout.batch_size 64 --train.batch_size 512 "$@"
