#!/usr/bin/env bash
# A bill of materials (CycloneDX 1.5, JSON) for each program of the image, and the checks that it is one. Called by test.sh; alone:
#   deploy/sbom.sh [DIRECTORY]      writes recap.cdx.json, recap-projector.cdx.json and recap-query.cdx.json there, by default into target/sbom
# The same sources give the same bytes. What it needs and does not find it installs once into a cache: cargo-cyclonedx (crates.io) and CycloneDX's
# validator (PyPI).
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd -P)
out=$(mkdir -p "${1:-$top/target/sbom}" && cd "${1:-$top/target/sbom}" && pwd -P)
target=${TARGET:-x86_64-unknown-linux-gnu}
cache=${RECAP_CHECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/recap/check}
cyclonedx=0.5.9
validator=11.12.0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tools=$cache/cargo-cyclonedx-$cyclonedx
if [ ! -x "$tools/bin/cargo-cyclonedx" ]; then
  echo "installing from crates.io into the cache: cargo-cyclonedx $cyclonedx"
  # Built to be built fast: it runs for seconds.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$scratch/target \
    cargo install --locked --quiet --root "$tools" cargo-cyclonedx --version "$cyclonedx"
fi
python=$cache/sbom-$validator/bin/python
if [ ! -x "$cache/sbom-$validator/complete" ]; then
  echo "installing from PyPI into the cache: cyclonedx-python-lib $validator"
  python3 -m venv "$cache/sbom-$validator"
  "$python" -m pip install -q "cyclonedx-python-lib[json-validation]==$validator"
  install -m 755 /dev/null "$cache/sbom-$validator/complete"
fi

# It writes beside each Cargo.toml: so let it do that to copies of what it reads.
sources=$scratch/recap
mkdir "$sources"
(cd "$top" && tar -c Cargo.toml Cargo.lock crates migrations) | tar -x -C "$sources"
SOURCE_DATE_EPOCH=0 "$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --describe binaries \
  --target "$target" --manifest-path "$sources/Cargo.toml"
for program in cli:recap projector:recap-projector query:recap-query; do
  crate=${program%%:*} name=${program##*:}
  sed "s|path+file://$sources/|path+file:///recap/|g" "$sources/crates/$crate/${name}_bin.cdx.json" > "$out/$name.cdx.json"
  (cd "$top" && cargo tree --locked -p "$name" -e normal --target "$target" --prefix none --format '{p}') > "$scratch/$name.tree"
  "$python" "$top/deploy/check/sbom.py" "$out/$name.cdx.json" "$scratch/$name.tree"
done
