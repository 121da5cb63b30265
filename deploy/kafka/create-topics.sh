#!/usr/bin/env bash
# Creates the topics of topics.txt where they are missing. Existing ones are left as they are: adding partitions moves keys, which recap can take,
# but is yours to decide. Environment: KAFKA_BOOTSTRAP_SERVERS, and optionally REPLICATION (1), MIN_INSYNC (1), COMMAND_CONFIG (a properties file), TOPICS.
set -euo pipefail
bin=${KAFKA_BIN:-/opt/kafka/bin}
here=$(cd "$(dirname "$0")" && pwd)
options=()
[[ -n ${COMMAND_CONFIG:-} ]] && options=(--command-config "$COMMAND_CONFIG")
while read -r topic partitions retention; do
  case $topic in '' | '#'*) continue ;; esac
  "$bin/kafka-topics.sh" --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" ${options[@]+"${options[@]}"} --create --if-not-exists --topic "$topic" \
    --partitions "$partitions" --replication-factor "${REPLICATION:-1}" --config cleanup.policy=delete --config "retention.ms=$retention" \
    --config retention.bytes=-1 --config "min.insync.replicas=${MIN_INSYNC:-1}" --config message.timestamp.type=CreateTime \
    --config compression.type=producer
done < "${TOPICS:-$here/topics.txt}"
