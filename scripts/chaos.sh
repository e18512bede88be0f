#!/usr/bin/env bash
# Runs the fault campaign (server/tests/chaos): gateways and REST nodes over a Redis Cluster, under load, while everything fails in turn.
#
#   FAILOVERS=50 MESSAGES=200000 RATE=600 CUTS=1000 SEED=7 WAIT=on scripts/chaos.sh
#
# WAIT=on runs what must lose nothing, WAIT=off what must lose something (acks that wait for no replica), both without it.
# Reports are added to target/chaos/reports.jsonl, a line each. Ends with an error when a promise was broken.
#
# LINNET names another binary than the release build's, such as a copy, so that one can build while it runs.
#
# It runs in a network namespace of its own, where packets may be dropped to cut a master off from its replicas; where the system
# permits none, it runs without these faults and says so.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${WAIT:-}" in
on) tests=(campaign::nothing_acknowledged_is_lost proxied::) ;;
off) tests=(campaign::without_waiting) ;;
"") tests=(campaign:: proxied::) ;;
*)
    echo "chaos: WAIT is on or off" >&2
    exit 1
    ;;
esac

test=(--package linnet-server --test chaos --release)
binary="$(cargo test "${test[@]}" --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*Executable.*(\(.*\))$/\1/p')"
[ -x "$binary" ] || {
    echo "chaos: the tests were not built" >&2
    exit 1
}
binary="$(realpath "$binary")"

mkdir -p target/chaos
if [ -n "${LINNET:-}" ]; then
    LINNET="$(realpath "$LINNET")"
    export LINNET
fi
export LINNET_CHAOS_FAILOVERS="${FAILOVERS:-50}" LINNET_CHAOS_MESSAGES="${MESSAGES:-200000}" LINNET_CHAOS_RATE="${RATE:-600}"
export LINNET_CHAOS_CUTS="${CUTS:-1000}" LINNET_CHAOS_SEED="${SEED:-}" LINNET_CHAOS_REPORT="${REPORT:-$PWD/target/chaos/reports.jsonl}"
run=("$binary" "${tests[@]}" --include-ignored --nocapture --test-threads 1)
# Tests look for their files from their package's folder, as cargo has them do.
cd server
for namespace in "unshare --net" "unshare --user --map-root-user --net"; do
    if $namespace ip link set lo up 2>/dev/null; then
        # shellcheck disable=SC2086  # two words and more
        LINNET_CHAOS_NETNS=1 exec $namespace sh -c 'ip link set lo up && exec "$@"' sh "${run[@]}"
    fi
done
exec "${run[@]}"
