#!/usr/bin/env bash
# Holds many idle connections, heartbeats and churn running, and tells what that costs: memory and processor time of the servers.
#
# Starts GATEWAYS servers, each over a store of its own with the same users, and as many processes of the load tester as the limit of open
# files calls for. Set CONNECTIONS (19000), TRANSPORT (tcp, tls, quic), HOLD (60s), HEARTBEAT (5m), CHURN (1 percent a minute),
# RATE (logins a second; 0 as fast as they go), SERVER (target/release/linnet) and LOADTEST (target/release/linnet-loadtest).
# Further arguments go to the load tester: benches/held.sh --json-file held.json
# Refuses what the memory at hand cannot hold.
set -euo pipefail
cd "$(dirname "$0")/.."

connections="${CONNECTIONS:-19000}" transport="${TRANSPORT:-tcp}" hold="${HOLD:-60s}" heartbeat="${HEARTBEAT:-5m}" churn="${CHURN:-1}"
rate="${RATE:-0}" server="${SERVER:-target/release/linnet}" loadtest="${LOADTEST:-target/release/linnet-loadtest}"

# Files that a process may open, less what it needs besides; with QUIC all connections share one socket.
each=$(($(ulimit -Hn) - 1000))
case "$transport" in
    # Bytes per connection at both ends: server, load tester, and the kernel's two sockets. Measured, and rounded up.
    tcp) bytes=20000 ports=1 ;;
    tls) bytes=35000 ports=1 ;;
    quic) bytes=75000 ports=0 each=1000000 ;;
    *) echo "TRANSPORT is none of tcp, tls, quic: $transport" >&2; exit 2 ;;
esac
gateways="${GATEWAYS:-$(((connections + each - 1) / each))}"
if ((connections > gateways * each)); then
    echo "$connections connections over $transport need $(((connections + each - 1) / each)) gateways, for each may open $(ulimit -Hn) files" >&2
    exit 2
fi
needed=$(((connections * bytes + gateways * 120000000) / 1000000))
free=$(awk '/MemAvailable/ { print int($2 / 1024 * 0.85) }' /proc/meminfo)
if ((needed > free)); then
    echo "$connections connections over $transport need about $needed MB, and $free MB can be spared: no more than" \
        "$(((free * 1000000 - gateways * 120000000) / bytes)) fit" >&2
    exit 2
fi

work="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
"$server" app create --id held --number 1 --data-dir "$work/0" >/dev/null
"$server" user create --app held --count "$connections" --credentials "$work/users.tsv" --data-dir "$work/0" >/dev/null
for ((number = 1; number < gateways; number++)); do cp -r "$work/0" "$work/$number"; done
for ((number = 0; number < gateways; number++)); do
    "$server" gateway --data-dir "$work/$number" --tcp 127.0.0.1:0 --tls 127.0.0.1:0 --quic 127.0.0.1:0 \
        --set store.rocks.cache=16MiB --set store.rocks.write_buffer=16MiB --set "gateway.heartbeat=$heartbeat" \
        --ready-file "$work/$number.ready" >"$work/$number.log" 2>&1 &
done
addresses="" pids=""
for ((number = 0; number < gateways; number++)); do
    for _ in $(seq 300); do [ -s "$work/$number.ready" ] && break; sleep 0.1; done
    [ -s "$work/$number.ready" ] || { cat "$work/$number.log" >&2; exit 1; }
    addresses+=",$(sed 's/.*"'"$transport"'":"\([^"]*\)".*/\1/' "$work/$number.ready")"
    pids+=",$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$work/$number.ready")"
done

# An address has some 28,000 ports; twice as many as needed, since ports of closed connections rest for a minute.
sources=$((ports * (connections / 14000 + 1)))
echo "$connections connections over $transport: $gateways gateways, heartbeat $heartbeat, churn $churn % a minute"
"$loadtest" connect --connections "$connections" --connect-rate "$rate" --hold "$hold" --churn "$churn" --transport "$transport" \
    --insecure --address "${addresses#,}" --server-pid "${pids#,}" --credentials "$work/users.tsv" \
    ${sources:+$([ "$sources" -gt 0 ] && echo "--source 127.0.0.1-$sources")} "$@"
