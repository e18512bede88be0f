#!/usr/bin/env bash
# Installs what is missing from this machine: `setup.sh build`, `test`, `bench` or `bench-rest`.
#
# Looks before it installs, so that a machine that has everything needs neither root nor a network.
set -euo pipefail

fail() {
    echo "setup: $*" >&2
    exit 1
}

# The oldest compiler that builds this: `rust-version` in Cargo.toml.
check_rust() {
    command -v cargo >/dev/null || fail "Rust is missing: install it with rustup (https://rustup.rs), then run this again"
    local needed have
    needed="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml")"
    have="$(rustc --version | awk '{ print $2 }')"
    [ "$(printf '%s\n%s\n' "$needed" "$have" | sort -V | head -n 1)" = "$needed" ] ||
        fail "Rust $needed or newer is needed, and this is $have: run \`rustup update\`"
}

# bindgen loads libclang when RocksDB's bindings are made.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || compgen -G '/usr/lib64/libclang*.so*' >/dev/null
}

missing=()
need() { # command package
    command -v "$1" >/dev/null || missing+=("$2")
}

case "${1:-build}" in
build)
    check_rust
    need c++ g++
    need make make
    need git git
    has_libclang || missing+=(libclang-dev)
    ;;
test)
    need curl curl
    need redis-server redis-server
    need redis-cli redis-tools
    need strace strace
    ;;
bench)
    need valgrind valgrind
    ;;
bench-rest)
    need curl curl
    need wrk wrk
    ;;
*) fail "what for? build, test, bench or bench-rest" ;;
esac

# The benches that count instructions hand their work to a runner of the very same version as the library.
install_runner() {
    [ "${1:-}" = bench ] || return 0
    local version
    version="$(awk '/^name = "gungraun-runner"/ { getline; gsub(/[" ]/, ""); sub(/version=/, ""); print; exit }' "$(dirname "$0")/../Cargo.lock")"
    gungraun-runner --version 2>/dev/null | grep -qF "$version" && return 0
    echo "setup: installing gungraun-runner $version"
    cargo install --quiet --locked --version "$version" gungraun-runner || fail "could not install gungraun-runner $version"
}

if [ ${#missing[@]} -eq 0 ]; then
    install_runner "$@"
    exit 0
fi

command -v apt-get >/dev/null || fail "please install, by this system's own means: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "please run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq || echo "setup: the package lists could not be refreshed, going on with those at hand" >&2
# Redis is for tests that start their own: nothing may come up as a service by being installed.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "could not install ${missing[*]}"
install_runner "$@"
