#!/usr/bin/env bash
# Every check and every test, on real servers. Installs what is missing; nothing else to read or set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/prerequisites.sh
. deploy/prerequisites.sh

# Nothing here is compiled twice: incremental state would only cost gigabytes.
export CARGO_INCREMENTAL=0
cargo_deny=0.20.2
disk_gib=12
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timings=()

# stage NAME COMMAND...: runs it and remembers how long it took.
stage() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@"
  timings+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
}

packages() {
  local free_gib
  free_gib=$(df --output=avail -BG . | tail -n 1 | tr -dc 0-9)
  echo "free disk: $free_gib GiB; a run on a new machine uses up to $disk_gib GiB"
  need_rust
  need_c
  need mvn maven
  need curl curl
  need npm npm
  need chromium chromium
  need kcat kcat
  need openssl openssl
  need_java
  need_postgresql
  # Where only root looks.
  [ -x /usr/sbin/pgbouncer ] || need pgbouncer pgbouncer
  install_missing
}

rust_tools() {
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
  if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $cargo_deny" ]; then
    # Built to be built fast: it runs for seconds.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
      cargo install --locked --quiet cargo-deny --version "$cargo_deny"
  fi
}

dependencies() {
  cargo deny --locked check --hide-inclusion-graph bans licenses sources
  if cargo deny --locked fetch db >"$log" 2>&1; then
    cargo deny --locked check advisories
  else
    echo "NOT CHECKED: security advisories and yanked versions. The RustSec database could not be fetched:"
    tail -n 3 "$log"
  fi
}

tests() {
  cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$log"
}

# Of the whole workspace, as the tests were built: a package by itself has other features, and would compile anew what it depends on.
alongside() {
  cargo build --locked --quiet --workspace --example alongside
  "${CARGO_TARGET_DIR:-target}/debug/examples/alongside" "$@"
}

# Schemathesis asks the living query service for everything its description allows, and for what it doesn't.
description() {
  alongside deploy/check/description.sh
}

# Clients generated from the description compile, and answer as the contract says.
clients() {
  alongside deploy/check/clients.sh
}

# The console in a real browser.
console() {
  deploy/check/console.sh
}

# The schemas and the AsyncAPI document that producers are given.
contract() {
  deploy/check/contract.sh
}

documentation() {
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
}

stage "packages" packages
stage "Rust tools" rust_tools
stage "format" cargo fmt --all --check
stage "dependencies" dependencies
stage "deployment" deploy/check.sh
stage "bill of materials" deploy/sbom.sh
stage "lints" cargo clippy --locked --workspace --all-targets -- -D warnings
stage "tests" tests
stage "API description" description
stage "API clients" clients
stage "contract" contract
stage "console" console
stage "documentation" documentation

echo "== times"
du -sh "${CARGO_TARGET_DIR:-target}"
printf '%s\n' "${timings[@]}"
awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$log"
