#!/usr/bin/env bash
# Builds binaries twice, from two copies of the committed sources in directories of different names, and compares them byte by byte.
#   deploy/reproducible.sh [PACKAGE...]      all three by default; PROFILE=dev for a quicker look; interrupted, it goes on where it was
#                                            when RECAP_REPRODUCIBLE_DIR names a directory to keep
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
profile=${PROFILE:-release}
packages=("$@")
[ ${#packages[@]} -gt 0 ] || packages=(recap recap-projector recap-query)
work=${RECAP_REPRODUCIBLE_DIR:-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
# One commit for both, however long they take.
[ -f "$work/commit" ] || git -C "$top" rev-parse HEAD > "$work/commit"

# The flags of deploy/Dockerfile, for directories that are elsewhere.
build() {
  local sources=$1/sources target=$1/target-directory cargo=${CARGO_HOME:-$HOME/.cargo} arguments=() package
  if [ ! -d "$sources" ]; then
    mkdir -p "$sources.new"
    git -C "$top" archive "$(cat "$work/commit")" | tar -x -C "$sources.new"
    mv "$sources.new" "$sources"
  fi
  for package in "${packages[@]}"; do arguments+=(-p "$package"); done
  (
    cd "$sources"
    RUSTFLAGS="--remap-path-prefix=$sources=recap --remap-path-prefix=$cargo=cargo --remap-path-prefix=$target=target" \
      CFLAGS="-ffile-prefix-map=$cargo=cargo -ffile-prefix-map=$target=target" CXXFLAGS="-ffile-prefix-map=$cargo=cargo -ffile-prefix-map=$target=target" \
      SOURCE_DATE_EPOCH=0 CARGO_INCREMENTAL=0 AWS_LC_SYS_USE_SYSTEM=0 CARGO_TARGET_DIR=$target \
      cargo build --locked --quiet --bins --profile "$profile" "${arguments[@]}"
  )
}

one=$work/one
other=$work/a-directory-of-another-name
build "$one"
build "$other"
built=$profile
[ "$profile" != dev ] || built=debug
different=0
for package in "${packages[@]}"; do
  sha256sum "$one/target-directory/$built/$package" "$other/target-directory/$built/$package" | sed "s|$work/||"
  cmp "$one/target-directory/$built/$package" "$other/target-directory/$built/$package" || different=1
done
exit $different
