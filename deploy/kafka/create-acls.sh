#!/usr/bin/env bash
# Grants one program of acls.txt what it needs: create-acls.sh PROGRAM PRINCIPAL, as `create-acls.sh projector User:recap-projector`.
# Environment: KAFKA_BOOTSTRAP_SERVERS, and optionally COMMAND_CONFIG (a properties file), ACLS, KAFKA_BIN.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: create-acls.sh PROGRAM PRINCIPAL, where PROGRAM is one of acls.txt" >&2; exit 2; }
program=$1 principal=$2
bin=${KAFKA_BIN:-/opt/kafka/bin}
here=$(cd "$(dirname "$0")" && pwd)
options=()
[[ -n ${COMMAND_CONFIG:-} ]] && options=(--command-config "$COMMAND_CONFIG")
granted=0
while read -r who operation resource pattern name; do
  [[ $who == "$program" ]] || continue
  "$bin/kafka-acls.sh" --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" ${options[@]+"${options[@]}"} --add --allow-principal "$principal" \
    --operation "$operation" "--$resource" "$name" --resource-pattern-type "$pattern"
  granted=$((granted + 1))
done < "${ACLS:-$here/acls.txt}"
[ $granted -gt 0 ] || { echo "$program is no program of acls.txt" >&2; exit 2; }
