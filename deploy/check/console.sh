#!/usr/bin/env bash
# The console in a real Chromium, against all of `recap dev`: types, vendored files, and every test of deploy/check/console. Run by deploy/test.sh.
#   PICTURES=DIR deploy/check/console.sh               keeps a picture of each page
#   deploy/check/console.sh changes.test.mjs             one file alone
#   RUN=measure.mjs deploy/check/console.sh            in place of the tests, on a release build: sizes and times
#   RUN=pictures.mjs deploy/check/console.sh           the pictures of the README anew
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/console
top=$(cd "$here/../../.." && pwd)
web=$top/crates/console/web
cache=${XDG_CACHE_HOME:-$HOME/.cache}/recap
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

stamp=$(cat "$here/package-lock.json" | sha256sum | cut -c1-16)
node=$cache/console-$stamp
if [ ! -e "$node/complete" ]; then
  echo "installing from npm into the cache: $(sed -n 's/^    "\(.*\)": "\(.*\)".*/\1 \2/p' "$here/package.json" | paste -sd,)"
  rm -rf "$node" && mkdir -p "$node"
  cp "$here/package.json" "$here/package-lock.json" "$node"
  (cd "$node" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  touch "$node/complete"
fi
cp -r "$web/app" "$web/vendor" "$web/tsconfig.json" "$here"/*.mjs "$here/package.json" "$work"
ln -s "$node/node_modules" "$work/node_modules"
(cd "$work" && node_modules/.bin/tsc -p .)
node "$here/vendored.mjs" "$web/vendor" "$node/node_modules" "$here/package-lock.json"

cd "$top"
profile=(); built=debug
[ -z "${RUN:-}" ] || { profile=(--release); built=release; }
# Of the whole workspace, as the tests are built: by itself it has other features, and would compile anew what it depends on.
cargo build --locked --quiet "${profile[@]}" --workspace --bin recap
recap=${CARGO_TARGET_DIR:-$top/target}/$built/recap
cd "$work"
if [ -n "${RUN:-}" ]; then
  TOP=$top node system.mjs "$recap" node "$RUN"
else
  node system.mjs "$recap" node --test --test-concurrency=1 ${1:+"$@"}
fi
