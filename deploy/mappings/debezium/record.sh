#!/usr/bin/env bash
# Records what Debezium publishes of a chat application's tables and of an outbox: real PostgreSQL with logical decoding, Kafka, Kafka Connect and Debezium.
#
#     ./record.sh        # writes ../debezium-chat.examples/*.records.ndjson and ../debezium-outbox.examples/*.records.ndjson
#
# `chat` is what a connector publishes, `restarted` the same topics after it was killed before it had kept how far it was, and has begun again from there.
#
# Needs Maven, Java 17 and PostgreSQL's programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
work=$(mktemp -d)
chmod 755 "$work"
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  "${as[@]}" "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
bin=$(pg_config --bindir)
# PostgreSQL does not run as root.
as=(); if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=postgres --regid=postgres --clear-groups); chown postgres "$work"; fi
trap stop EXIT

mvn -q -B dependency:copy-dependencies -DoutputDirectory="$work/jars"

port=55432
"${as[@]}" "$bin/initdb" -D "$work/data" -U recorder --auth=trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$work/data" -o "-p $port -k $work -c wal_level=logical -c timezone=UTC" -l "$work/postgres.log" -w start >/dev/null
sql() { "$bin/psql" -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U recorder postgres "$@"; }
sql -f tables.sql

cat >"$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:59093
listeners=PLAINTEXT://127.0.0.1:59092,CONTROLLER://127.0.0.1:59093
controller.listener.names=CONTROLLER
log.dirs=$work/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
EOF
java=(java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$work/jars/*")
"${java[@]}" kafka.tools.StorageTool format -t "$("${java[@]}" kafka.tools.StorageTool random-uuid)" -c "$work/server.properties" >/dev/null
"${java[@]}" kafka.Kafka "$work/server.properties" >"$work/kafka.log" 2>&1 &
pids+=($!)

# worker MILLISECONDS: how often the connectors keep how far they are.
worker() {
  cat >"$work/worker.properties" <<EOF
bootstrap.servers=127.0.0.1:59092
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.storage.file.filename=$work/offsets
offset.flush.interval.ms=$1
listeners=http://127.0.0.1:58083
EOF
}
connector() {
  cat <<EOF
name=$1
connector.class=io.debezium.connector.postgresql.PostgresConnector
plugin.name=pgoutput
database.hostname=127.0.0.1
database.port=$port
database.user=recorder
database.password=none
database.dbname=postgres
topic.prefix=$2
slot.name=$1
publication.name=$1
publication.autocreate.mode=filtered
tombstones.on.delete=true
EOF
}
{ connector tables chat; echo 'table.include.list=public.Chat,public.Message_v2,public.Vote_v2'; } >"$work/tables.properties"
{
  connector outbox outbox
  cat <<'EOF'
table.include.list=public.outbox
transforms=outbox
transforms.outbox.type=io.debezium.transforms.outbox.EventRouter
transforms.outbox.table.expand.json.payload=true
transforms.outbox.table.fields.additional.placement=type:header:type,happened_at:header:time
EOF
} >"$work/outbox.properties"

connect() {
  "${java[@]}" org.apache.kafka.connect.cli.ConnectStandalone "$work/worker.properties" "$work/tables.properties" "$work/outbox.properties" >>"$work/connect.log" 2>&1 &
  connect=$!
  pids+=("$connect")
  until_active 2
}
# until_active COUNT: until so many connectors stream.
until_active() {
  for _ in $(seq 240); do
    [ "$(sql -Atc "SELECT count(*) FROM pg_replication_slots WHERE active")" = "$1" ] && return
    sleep 0.5
  done
  tail -n 20 "$work/connect.log" >&2
  return 1
}
# end_connect SIGNAL
end_connect() {
  kill "-$1" "$connect"
  wait "$connect" || true
  until_active 0
}
chat() { "${java[@]}" "$here/Dump.java" 127.0.0.1:59092 chat.public.Chat,chat.public.Message_v2,chat.public.Vote_v2 "$1"; }

# An orderly end keeps that the snapshot is done.
worker 500
connect
end_connect TERM
# From here on nothing is kept before the connectors are killed.
worker 600000
connect
sql -f changes.sql
chat 17 >"$work/chat"
"${java[@]}" "$here/Dump.java" 127.0.0.1:59092 outbox.event.conversation 1 >"$work/outbox"
end_connect KILL
connect
chat "$((2 * 17 - $(grep -c '"op":"r"' "$work/chat")))" >"$work/restarted"

mkdir -p ../debezium-chat.examples ../debezium-outbox.examples
cp "$work/chat" ../debezium-chat.examples/chat.records.ndjson
cp "$work/restarted" ../debezium-chat.examples/restarted.records.ndjson
cp "$work/outbox" ../debezium-outbox.examples/outbox.records.ndjson
