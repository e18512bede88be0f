# Sourced, not run: points the build at a RocksDB archive that was compiled before, if there is one.
#
# Compiling RocksDB takes ten minutes and more; linking an archive takes a second.
# The cache is keyed by what decides the archive's content. Without it, cargo compiles RocksDB itself, and `make` stores the result.

linnet_rocksdb_key() {
    local root lock
    root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
    lock="$(awk '/^name = "librocksdb-sys"/ { getline; gsub(/[" ]/, ""); sub(/version=/, ""); print; exit }' "$root/Cargo.lock" 2>/dev/null)"
    echo "${lock:-none}-lz4-zstd-$(uname -m)"
}

LINNET_ROCKSDB_CACHE="${LINNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/linnet}/rocksdb/$(linnet_rocksdb_key)"
export LINNET_ROCKSDB_CACHE
if [ -s "$LINNET_ROCKSDB_CACHE/librocksdb.a" ]; then
    export ROCKSDB_LIB_DIR="$LINNET_ROCKSDB_CACHE" ROCKSDB_STATIC=1
else
    unset ROCKSDB_LIB_DIR ROCKSDB_STATIC
fi
