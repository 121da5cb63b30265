#!/usr/bin/env bash
# Records what a Collector publishes of an application's GenAI spans: OpenAI's SDKs and OpenTelemetry's instrumentations of them against a stand-in for the model
# provider, a Collector built from its sources with the Kafka exporter, real Kafka.
#
#     ./record.sh        # writes ../opentelemetry.examples/{json,proto}.records.ndjson
#
# Needs Python 3.10 or newer, Go, Maven and Java 17. Building the Collector takes minutes; OTELCOL=PATH takes one that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q -r requirements.txt
python=$work/venv/bin/python
if [ -z "${OTELCOL:-}" ]; then
  cp builder.yaml "$work"
  (cd "$work" && go run go.opentelemetry.io/collector/cmd/builder@v0.155.0 --config builder.yaml)
  OTELCOL=$work/build/otelcol
fi

mvn -q -B dependency:copy-dependencies -DoutputDirectory="$work/jars"
broker=127.0.0.1:59192
cat >"$work/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:59193
listeners=PLAINTEXT://$broker,CONTROLLER://127.0.0.1:59193
controller.listener.names=CONTROLLER
log.dirs=$work/kafka
offsets.topic.replication.factor=1
PROPERTIES
java=(java -Xmx512m -cp "$work/jars/*")
"${java[@]}" kafka.tools.StorageTool format -t "$("${java[@]}" kafka.tools.StorageTool random-uuid)" -c "$work/server.properties" >/dev/null
"${java[@]}" kafka.Kafka "$work/server.properties" >"$work/kafka.log" 2>&1 &
pids+=($!)
"$python" model.py 58080 &
pids+=($!)

# until COMMAND…: until it succeeds.
until_done() {
  for _ in $(seq 120); do
    "$@" 2>/dev/null && return
    sleep 0.5
  done
  echo "never done: $*" >&2
  return 1
}
port() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }
until_done port 59192
until_done port 58080
"$OTELCOL" --config "$here/collector.yaml" >"$work/collector.log" 2>&1 &
collector=$!
pids+=("$collector")
until_done port 54318
until_done port 54319

# app SCENARIO ORGANIZATION CONTENT PORT
app() {
  OPENAI_BASE_URL=http://127.0.0.1:58080/v1 OPENAI_API_KEY=none OTEL_SERVICE_NAME="shop-$1" OTEL_RESOURCE_ATTRIBUTES=${2:+recap.organization.id=$2} \
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=$3 OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$4" "$python" app.py "$1"
}
app steps org_b NO_CONTENT 54318
app agent org_a SPAN_ONLY 54319
app chat org_b SPAN_ONLY 54319
app stranger '' SPAN_ONLY 54319
# What it has put together it publishes at its end.
kill -TERM "$collector"
wait "$collector" || { tail -n 20 "$work/collector.log" >&2; exit 1; }

mkdir -p ../opentelemetry.examples
for encoding in json proto; do
  "$python" dump.py "$broker" "genai.$encoding" >"../opentelemetry.examples/$encoding.records.ndjson"
done
