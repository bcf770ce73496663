#!/bin/bash
# A run on four machines with eight GPUs each under Slurm, one process a machine:
#   sbatch deploy/slurm.sh
# The cluster is read from Slurm's variables; no TF_CONFIG is needed. Submit it from a folder that all machines see: the run is
# kept there, and a job that is queued again continues it. Slurm's SIGTERM before the time limit writes a checkpoint.
#SBATCH --job-name=attention-zoo
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
srun attention-zoo train translation --preset wmt14_transformer --training.strategy multi_worker
