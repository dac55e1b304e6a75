#!/usr/bin/env bash
# Training on one or several nodes of a Slurm cluster: a Ray cluster of the allocation, and `python -m trainer` on its first
# node. It has not been run.
#   sbatch --nodes 1 trainer/examples/slurm.sh data=data/30k model=Qwen/Qwen3-VL-8B-Instruct reward_url=http://host:8000
# VIDEOSSR_REWARD_TOKEN reaches Ray's processes from the environment. Checkout, environment, builds and out= lie where all nodes see them.
#SBATCH --job-name=videossr --gpus-per-node=8 --ntasks-per-node=1 --cpus-per-task=64 --time=24:00:00
set -euo pipefail
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes 1 --ntasks 1 --nodelist "$head" hostname --ip-address | awk '{print $1}')
srun --nodes 1 --ntasks 1 --nodelist "$head" --overlap ray start --head --node-ip-address "$address" --port 6379 --block &
for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -n +2); do
  srun --nodes 1 --ntasks 1 --nodelist "$node" --overlap ray start --address "$address:6379" --block &
done
sleep 30
srun --nodes 1 --ntasks 1 --nodelist "$head" --overlap \
  python -m trainer trainer.nnodes=$SLURM_JOB_NUM_NODES ray_kwargs.ray_init.address=$address:6379 "$@"
