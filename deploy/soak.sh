#!/usr/bin/env bash
# Strikes the projector with faults, seed after seed, until a seed fails, COUNT seeds are done, RECAP_SOAK_EVENTS events are through, or Ctrl-C. Says after each seed
# how far it is: seeds, events, rows compared (every one equal, or the seed has failed), events a second.
#
#   deploy/soak.sh [COUNT]
#   RECAP_SOAK_EVENTS=20000000 RECAP_FAULT_EVENTS=500000 deploy/soak.sh     mixed faults, both protocols in turn
#   deploy/soak.sh stalls [COUNT]                                            brokers restarted under load while members change: no partition unread for a minute
#
# What strikes is changed by RECAP_FAULTS=kill,freeze (default all, mixed), RECAP_FAULT_ROUNDS=5, RECAP_FAULT_LONG=30, RECAP_FAULT_EVENTS=500000,
# RECAP_FAULT_HOSTILE=0.01, RECAP_FAULT_TRANSACTIONS=0.2, RECAP_FAULT_UNREAD=60, RECAP_FAULT_MAPPED=recap.messages,recap.tool-calls (topics whose records a mapping
# makes into events), RECAP_FAULT_PROTOCOL=classic or consumer (default by the seed) and RECAP_FAULT_SEED (the first seed; the others follow it by one, so that the
# protocols take turns). RECAP_FAULT_PROJECTOR=target/release/recap-projector takes another build of the projector, RECAP_SOAK_PROFILE=release builds all of it optimized.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=
if [[ ${1:-} == stalls ]]; then
    shift
    mode='stalls '
    export RECAP_FAULTS=${RECAP_FAULTS:-broker-restart,kill,join,leave,replace} RECAP_FAULT_UNREAD=${RECAP_FAULT_UNREAD:-60}
    export RECAP_FAULT_EVENTS=${RECAP_FAULT_EVENTS:-60000} RECAP_FAULT_ROUNDS=${RECAP_FAULT_ROUNDS:-1}
fi
count=${1:-0}
most=${RECAP_SOAK_EVENTS:-0}
seed=${RECAP_FAULT_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
export RECAP_FAULT_ROUNDS=${RECAP_FAULT_ROUNDS:-3} RECAP_FAULT_LONG=${RECAP_FAULT_LONG:-30}
if [[ -n ${RECAP_FAULT_PROJECTOR:-} ]]; then
    RECAP_FAULT_PROJECTOR=$(realpath "$RECAP_FAULT_PROJECTOR")
fi
test=(cargo test --locked --profile "${RECAP_SOAK_PROFILE:-dev}" --workspace --test faults)
"${test[@]}" --no-run
# Everything that programs wrote; kept when a seed fails.
log=$(mktemp -t recap-soak.XXXXXX)
events=0 rows=0 started=$SECONDS
for ((done = 0; (count == 0 || done < count) && (most == 0 || events < most); done++)); do
    echo "soak: seed $seed (again: RECAP_FAULT_SEED=$seed deploy/soak.sh ${mode}1)"
    if ! RECAP_FAULT_SEED=$seed "${test[@]}" -- --nocapture 2>&1 | tee "$log" | grep --line-buffered -aE '^(fault:|seed |longest |[0-9]+ faults |error|thread )'; then
        echo "soak: seed $seed FAILED after $done good ones; all output is in $log"
        exit 1
    fi
    read -r more compared < <(sed -nE 's/^seed [0-9]+: protocol .* ([0-9]+) events, ([0-9]+) rows equal.*/\1 \2/p' "$log" | tail -1) || {
        echo "soak: seed $seed compared nothing; all output is in $log"
        exit 1
    }
    events=$((events + more)) rows=$((rows + compared)) elapsed=$((SECONDS - started))
    echo "soak: $((done + 1)) seeds, $events events, $rows rows compared and 0 differ, $((events / (elapsed > 0 ? elapsed : 1))) events/s, $elapsed s"
    seed=$((seed + 1))
done
rm -f "$log"
echo "soak: $done seeds, none failed"
