#!/usr/bin/env bash
# The schemas and the AsyncAPI document of deploy/contract, by Ajv and by AsyncAPI's parser, which are fetched from npm into a cache. Called by test.sh;
# alone: deploy/check/contract.sh. That the files are those of this release is a test of crates/cli.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/contract
cache=${XDG_CACHE_HOME:-$HOME/.cache}/recap
stamp=$(sha256sum "$here/package-lock.json" | cut -c1-16)
node=$cache/contract-$stamp
if [ ! -e "$node/complete" ]; then
  echo "installing from npm into the cache: $(sed -n 's/^    "\(.*\)": "\(.*\)".*/\1 \2/p' "$here/package.json" | paste -sd,)"
  rm -rf "$node" && mkdir -p "$node"
  cp "$here/package.json" "$here/package-lock.json" "$node"
  (cd "$node" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  touch "$node/complete"
fi
cp "$here/validate.mjs" "$node"
node "$node/validate.mjs" "$here/../../contract" "$here/../../../crates/events/tests/golden/events.ndjson"
