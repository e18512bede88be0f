#!/usr/bin/env bash
# Makes the RocksDB archive that scripts/env.sh points builds at, unless there is one.
#
# Compiled once, in a folder of its own, for every profile: it takes ten minutes and more, and what follows takes seconds.
# Should anything here fail, builds go on and compile RocksDB themselves.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

[ -s "$LINNET_ROCKSDB_CACHE/librocksdb.a" ] && exit 0

fall_back() {
    echo "rocksdb: $*; the build compiles RocksDB itself" >&2
    exit 0
}

echo "rocksdb: compiling RocksDB once, into $LINNET_ROCKSDB_CACHE (ten minutes on two cores)"
scratch="target/rocksdb-archive"
mkdir -p "$LINNET_ROCKSDB_CACHE" "$scratch" || fall_back "cannot write the cache"
CARGO_TARGET_DIR="$scratch" cargo build --quiet --package linnet-storage || fall_back "this build failed"
archive="$(find "$scratch" -path '*/librocksdb-sys-*/out/librocksdb.a' -print -quit)"
[ -n "$archive" ] || fall_back "the build left no archive"
strip --strip-debug "$archive" || true
# Renamed into place, so that a build beside this one never links half of it.
cp "$archive" "$LINNET_ROCKSDB_CACHE/librocksdb.a.$$" && mv "$LINNET_ROCKSDB_CACHE/librocksdb.a.$$" "$LINNET_ROCKSDB_CACHE/librocksdb.a" ||
    fall_back "cannot write the cache"
rm -rf "$scratch"
