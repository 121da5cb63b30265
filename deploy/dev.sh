#!/usr/bin/env bash
# Runs recap on this machine with a lively sample: Kafka, PostgreSQL, projector, query service. Ctrl-C ends and removes all.
# Installs what is missing. Arguments go to `recap dev` (see --help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/prerequisites.sh
. deploy/prerequisites.sh

need_rust
need_c
[ -n "${DATABASE_URL:-}" ] || need_postgresql
install_missing

# On a terminal Cargo shows its own progress; elsewhere one line is enough.
quiet=()
[ -t 2 ] || quiet=(--quiet)
echo "building recap: some minutes the first time"
cargo build --locked "${quiet[@]}" --package recap
exec "${CARGO_TARGET_DIR:-target}/debug/recap" dev "$@"
