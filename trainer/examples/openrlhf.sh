#!/usr/bin/env bash
# OpenRLHF 0.11 with the reward service, on 8 GPUs. The flags are checked against OpenRLHF's source; it has not been run.
#   DATA  a dataset or JSON-lines file with `prompt` (chat messages), `label` (see README, "The reward service", for how to
#         make it from a row) and `images` (file paths of the frames of a build with --video-format jpeg)
#   videossr serve --port 8000
set -euo pipefail
: "${MODEL:?a model}" "${DATA:?a dataset}" "${REWARD_URL:=http://localhost:8000}"
python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path "$MODEL" --reward.remote_url "$REWARD_URL/openrlhf" \
  --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key label --data.apply_chat_template \
  --data.image_key images --data.max_images_per_prompt 48 --data.max_len 10240 \
  --algo.advantage.estimator group_norm --algo.kl.use_loss --algo.kl.init_coef 1e-3 --algo.kl.estimator k3 \
  --train.colocate_all --vllm.num_engines 8 --vllm.tensor_parallel_size 1 --vllm.enable_sleep --ds.enable_sleep \
  --rollout.n_samples_per_prompt 8 --rollout.batch_size 64 --train.batch_size 512 "$@"
