#!/usr/bin/env bash
# Schemathesis against the living query service: does it do what its description says, whatever is asked?
# Run by deploy/test.sh, through crates/query/examples/alongside.rs, which sets RECAP_URL and RECAP_TOKEN.
set -euo pipefail

schemathesis=4.32.5
venv=${XDG_CACHE_HOME:-$HOME/.cache}/recap/schemathesis-$schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install -q "schemathesis==$schemathesis"
fi
# It keeps its own notes where it runs.
cd "$venv"
# The stream of changes ends with its token, an hour later: crates/query/tests/http/changes.rs reads it.
# Schemathesis can't know that `from` precedes `to` or what a cursor is, so it must not expect its valid data to be accepted.
exec "$venv/bin/schemathesis" run "$RECAP_URL/openapi.json" \
  --header "Authorization: Bearer $RECAP_TOKEN" \
  --exclude-path /api/dashboard/changes \
  --checks all --exclude-checks positive_data_acceptance \
  --max-examples "${RECAP_DESCRIPTION_EXAMPLES:-100}" --seed 1 --no-color
