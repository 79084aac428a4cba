#!/bin/sh
#SBATCH --job-name=grpo
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --signal=USR1@300
# One process a GPU over several nodes that share this folder; five minutes before the time is up all ranks write a checkpoint and end, and the
# same sbatch goes on from it.      sbatch scripts/multi_node/slurm.sh scripts/run_deepscaler_1.5b_16k.sh
LAUNCH="srun --mpi=${SLURM_MPI_TYPE:-pmix} --kill-on-bad-exit=1" exec "$@"
