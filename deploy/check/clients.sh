#!/usr/bin/env bash
# Clients generated from the living service's description, compiled and used: openapi-typescript with openapi-fetch, and openapi-python-client. That the files of
# /docs are those of their package, too. Run by deploy/test.sh, through crates/query/examples/alongside.rs, which sets RECAP_URL, RECAP_TOKEN and RECAP_GOLDEN.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/clients
docs=$here/../../../crates/query/src/endpoints/docs
cache=${XDG_CACHE_HOME:-$HOME/.cache}/recap
python_client=0.29.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -sSf "$RECAP_URL/openapi.json" -o "$work/openapi.json"

stamp=$(cat "$here/package-lock.json" | sha256sum | cut -c1-16)
node=$cache/clients-$stamp
if [ ! -e "$node/complete" ]; then
  echo "installing from npm into the cache: $(sed -n 's/^    "\(.*\)": "\(.*\)".*/\1 \2/p' "$here/package.json" | paste -sd,)"
  rm -rf "$node" && mkdir -p "$node"
  cp "$here/package.json" "$here/package-lock.json" "$node"
  (cd "$node" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  touch "$node/complete"
fi
cp "$here/golden.ts" "$here/tsconfig.json" "$here/package.json" "$work"
ln -s "$node/node_modules" "$work/node_modules"
(cd "$work" && node_modules/.bin/openapi-typescript openapi.json -o schema.ts > openapi-typescript.log 2>&1 || { cat openapi-typescript.log; exit 1; }
  node_modules/.bin/tsc && node out/golden.js)

venv=$cache/openapi-python-client-$python_client
if [ ! -x "$venv/bin/openapi-python-client" ]; then
  echo "installing from PyPI into the cache: openapi-python-client $python_client"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install -q "openapi-python-client==$python_client"
fi
(cd "$work" && PATH=$venv/bin:$PATH "$venv/bin/openapi-python-client" generate --path openapi.json --meta none --output-path recap_client --fail-on-warning > python.log 2>&1 \
  || { cat python.log; exit 1; }
  PYTHONPATH=$work "$venv/bin/python" "$here/golden.py")

for file in swagger-ui-bundle.js swagger-ui.css; do
  gzip -dc "$docs/$file.gz" | cmp - "$node/node_modules/swagger-ui-dist/$file"
done
