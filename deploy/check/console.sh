#!/usr/bin/env bash
# The console in a real Chromium, against all of `recap dev`: types, vendored files, and every test of deploy/check/console. Run by deploy/test.sh.
#   PICTURES=DIR deploy/check/console.sh               keeps a picture of each page
#   deploy/check/console.sh changes.test.mjs             one file alone
#   RUN=measure.mjs deploy/check/console.sh            in place of the tests, on a release build: sizes and times (CONVERSATIONS=17000 for 10,000 rows)
#   RUN=pictures.mjs deploy/check/console.sh           the pictures of the README anew
#   PROFILE=dev RUN=… deploy/check/console.sh          either on a debug build
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/console
top=$(cd "$here/../../.." && pwd)
web=$top/crates/console/web
cache=${XDG_CACHE_HOME:-$HOME/.cache}/recap
clerk=6.40.0
clerk_integrity=sha512-2MnZ/ygvuCmeuqfXQmsxfQaLN/SSJvQbtT2cLXbgr5VKr3KmZFZBVvX977fG3eZ6pprl4J9pO+I2bbe6BvColg==
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
# Clerk's script, as its instances serve it, for the tests alone. By itself: what it depends on is inside, and 150 MB.
export CLERK_JS=$cache/clerk-js-$clerk
if [ ! -e "$CLERK_JS/package.json" ]; then
  echo "fetching from npm into the cache: @clerk/clerk-js $clerk"
  (cd "$work" && npm pack --silent "@clerk/clerk-js@$clerk" >/dev/null)
  [ "sha512-$(openssl dgst -sha512 -binary "$work/clerk-clerk-js-$clerk.tgz" | base64 -w0)" = "$clerk_integrity" ] || { echo "@clerk/clerk-js $clerk has another hash"; exit 1; }
  mkdir -p "$CLERK_JS" && tar -xzf "$work/clerk-clerk-js-$clerk.tgz" -C "$CLERK_JS" --strip-components=1
fi
cp -r "$web/app" "$web/vendor" "$web/tsconfig.json" "$here"/*.mjs "$here/package.json" "$work"
ln -s "$node/node_modules" "$work/node_modules"
(cd "$work" && node_modules/.bin/tsc -p .)
node "$here/vendored.mjs" "$web/vendor" "$node/node_modules" "$here/package-lock.json"

cd "$top"
profile=(); built=debug; programs=(--bin recap)
if [ -z "${RUN:-}" ]; then
  programs+=(--bin recap-query)
elif [ "${PROFILE:-release}" = release ]; then
  profile=(--release); built=release
fi
# Of the whole workspace, as the tests are built: by itself it has other features, and would compile anew what it depends on.
cargo build --locked --quiet "${profile[@]}" --workspace "${programs[@]}"
recap=${CARGO_TARGET_DIR:-$top/target}/$built/recap
export RECAP_QUERY=${CARGO_TARGET_DIR:-$top/target}/$built/recap-query
cd "$work"
if [ -n "${RUN:-}" ]; then
  TOP=$top node system.mjs "$recap" node "$RUN"
else
  node system.mjs "$recap" node --test --test-concurrency=1 ${1:+"$@"}
fi
