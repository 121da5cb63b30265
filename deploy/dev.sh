#!/usr/bin/env bash
# Runs recap on this machine with a lively sample: Kafka, PostgreSQL, projector, query service. Ctrl-C ends and removes all.
# Installs what is missing. Arguments go to `recap dev` (see --help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/prerequisites.sh
. deploy/prerequisites.sh

need_rust
need cc build-essential
need make build-essential
[ -n "${DATABASE_URL:-}" ] || need_postgresql
install_missing

echo "building recap; the first time takes some minutes"
cargo build --locked --quiet --package recap
exec cargo run --locked --quiet --package recap -- dev "$@"
