#!/usr/bin/env bash
# Strikes the projector with faults, seed after seed, until one seed fails or Ctrl-C.
# usage: deploy/soak.sh [first seed]      RECAP_FAULTS=kill,freeze RECAP_FAULT_ROUNDS=5 RECAP_FAULT_LONG=30 RECAP_FAULT_EVENTS=500000 change what strikes
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
export RECAP_FAULT_ROUNDS=${RECAP_FAULT_ROUNDS:-3} RECAP_FAULT_LONG=${RECAP_FAULT_LONG:-30}
while :; do
    echo "soak: seed $seed (again: deploy/soak.sh $seed)"
    RECAP_FAULT_SEED=$seed cargo test --release -p recap-projector --test faults -- --nocapture
    seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
done
