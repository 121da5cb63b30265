# Sourced by dev.sh and test.sh: makes sure that what they need is installed.
# Debian and Ubuntu get their packages, as root or with sudo; elsewhere the missing packages are named and nothing is done.

packages=()
programs=()

has() { command -v "$1" >/dev/null 2>&1; }

# need PROGRAM PACKAGE: remembers what is missing.
need() {
  has "$1" || { programs+=("$1"); packages+=("$2"); }
}

# What the C libraries inside are built with: librdkafka with TLS, SASL and OpenID Connect.
need_c() {
  need cc build-essential
  need make build-essential
  need cmake cmake
  need perl perl
}

need_postgresql() {
  has initdb && has postgres && return
  local bin
  for bin in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
  done
  programs+=(initdb postgres)
  packages+=(postgresql)
}

need_java() {
  local java=java version
  [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] && java=$JAVA_HOME/bin/java
  # The version line is the one that quotes the version: options from the environment may print lines before it.
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' || true)
  [ "${version:-0}" -ge 17 ] && return
  programs+=("java (17 or newer)")
  packages+=(openjdk-17-jre-headless)
}

# Newer releases than those with Java 17 have a newer one; only up-to-date lists of packages tell.
java_of_this_release() {
  local index
  apt-cache show openjdk-17-jre-headless >/dev/null 2>&1 && return
  for index in "${!packages[@]}"; do
    [ "${packages[index]}" != openjdk-17-jre-headless ] || packages[index]=default-jre-headless
  done
}

need_rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  has cargo || { echo "Rust $wanted or newer is needed: https://rustup.rs" >&2; exit 1; }
  found=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "Rust $wanted or newer is needed, this is $found: rustup update stable" >&2
    exit 1
  fi
}

# Installs what the calls of need* found missing.
install_missing() {
  [ ${#packages[@]} -eq 0 ] && return
  echo "missing: ${programs[*]}"
  local as_root=()
  if ! has apt-get; then
    echo "install these and run this again (Debian's names): ${packages[*]}" >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo; then
      echo "run as root: apt-get install ${packages[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  java_of_this_release
  echo "installing with apt-get: ${packages[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}
