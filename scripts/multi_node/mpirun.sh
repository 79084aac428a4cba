#!/bin/sh
# One process a GPU over the machines of a host file ("node1 slots=8" a line), which share this folder.
#   ./scripts/multi_node/mpirun.sh hosts.txt scripts/run_deepscaler_1.5b_16k.sh
hosts=${1:?the host file, then the script}
shift
LAUNCH="mpirun --hostfile $hosts --bind-to none -x NCCL_DEBUG -x NCCL_SOCKET_IFNAME" exec "$@"
