#!/usr/bin/env bash
# Strikes the projector with faults, seed after seed, until a seed fails, COUNT seeds are done, or Ctrl-C.
# usage: deploy/soak.sh [COUNT]      What strikes is changed by RECAP_FAULTS=kill,freeze (default all, mixed), RECAP_FAULT_ROUNDS=5, RECAP_FAULT_LONG=30,
# RECAP_FAULT_EVENTS=500000, RECAP_FAULT_HOSTILE=0.01, RECAP_FAULT_PROTOCOL=classic or consumer (default by the seed) and RECAP_FAULT_SEED (the first seed).
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-0}
random() { od -An -N4 -tu4 /dev/urandom | tr -d ' '; }
seed=${RECAP_FAULT_SEED:-$(random)}
export RECAP_FAULT_ROUNDS=${RECAP_FAULT_ROUNDS:-3} RECAP_FAULT_LONG=${RECAP_FAULT_LONG:-30}
for ((done = 0; count == 0 || done < count; done++)); do
    echo "soak: seed $seed (again: RECAP_FAULT_SEED=$seed deploy/soak.sh 1)"
    if ! RECAP_FAULT_SEED=$seed cargo test --locked -p recap-projector --test faults -- --nocapture; then
        echo "soak: seed $seed FAILED after $done good ones"
        exit 1
    fi
    seed=$(random)
done
echo "soak: $done seeds, none failed"
