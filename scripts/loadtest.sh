#!/usr/bin/env bash
# Measures what this machine can do, for somebody who has never measured Linnet: `make loadtest`.
#
#   scripts/loadtest.sh [FLAG...]          flags for every run, as `linnet-loadtest peer --help` lists them
#
# Starts a server of its own on free loopback ports, makes users, and loads it three times: connections at a rate, a day in a chat app at
# a pace, and pairs of users as fast as it goes. Writes a page with charts for each, says where, and stops the server.
# CONNECTIONS (2000), RATE (1000 things a second, the second run) and SECONDS_EACH (20) change the load. REPORTS (data/loadtest) is where
# reports go; the server's data is put beside them, on the same disk, and deleted in the end.
# LINNET and LOADTEST name other binaries than those in target/release.
set -euo pipefail
cd "$(dirname "$0")/.."

connections="${CONNECTIONS:-2000}" rate="${RATE:-1000}" seconds="${SECONDS_EACH:-20}"
linnet="${LINNET:-target/release/linnet}" loadtest="${LOADTEST:-target/release/linnet-loadtest}"
reports="${REPORTS:-data/loadtest}/$(date -u +%Y%m%d-%H%M%S)"
pairs=50 people=200

fail() {
    echo "loadtest: $*" >&2
    exit 1
}

for number in "$connections" "$rate" "$seconds"; do
    [[ "$number" =~ ^[1-9][0-9]*$ ]] || fail "$number is not a number from 1"
done
for binary in "$linnet" "$loadtest"; do
    [ -x "$binary" ] || fail "there is no $binary: \`make loadtest\` builds it"
done
mkdir -p "$reports"
# Not in /tmp, which may be memory: what is measured includes waiting for the disk.
work="$(mktemp -d "$reports/server.XXXXXX")"

# --- A server ---------------------------------------------------------------------------------------------------------

pid=""
stop() {
    if [ -n "$pid" ]; then
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
# Ctrl-C is for the run that goes on, which reports what it has; the runs after it are left out.
interrupted=""
trap 'interrupted=1' INT
trap 'exit 1' TERM

any=127.0.0.1:0
settings=()
# A user of a load test does what thousands would.
for limit in frames sends connects; do
    settings+=(--set "gateway.$limit.per_second=0")
done
# In a group of its own, so that Ctrl-C does not end it first.
setsid "$linnet" serve --data-dir "$work/data" --tcp "$any" --tls "$any" --quic "$any" --rest "$any" --ready-file "$work/ready" \
    "${settings[@]}" >"$work/log" 2>&1 </dev/null &
pid=$!
for ((tries = 600; tries > 0; tries--)); do
    [ ! -s "$work/ready" ] || break
    kill -0 "$pid" 2>/dev/null || fail "the server has ended: $(tail -n 5 "$work/log")"
    sleep 0.1
done
[ -s "$work/ready" ] || fail "the server did not start: $(tail -n 5 "$work/log")"
listens() { sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/' "$work/ready"; }

users=$((connections > people ? connections : people))
"$linnet" user create --data-dir "$work/data" --count "$users" --prefix load --credentials "$work/users.tsv" >"$work/users.log" ||
    fail "the users could not be made: $(cat "$work/users.log")"

# --- Three runs -------------------------------------------------------------------------------------------------------

addresses="tcp:$(listens tcp),tls:$(listens tls),quic:$(listens quic)"
shared=(--address "$addresses" --insecure --credentials "$work/users.tsv" --server-pid "$pid" --metrics "http://$(listens rest)/metrics")
status=0 done_runs=()

run() { # name, heading, scenario and its flags...
    local name="$1" heading="$2"
    shift 2
    [ -z "$interrupted" ] || return 0
    echo
    echo "== $heading"
    # The dashboard is on standard error, the report on standard output.
    if "$loadtest" "$@" "${shared[@]}" --html "$reports/$name.html" --json-file "$reports/$name.json" "${flags[@]}" >"$reports/$name.txt"; then
        :
    else
        status=$?
        [ "$status" -le 1 ] || fail "the run could not be made"
    fi
    cat "$reports/$name.txt"
    done_runs+=("$name")
}

flags=("$@")
echo "loadtest: a server of its own runs as process $pid; its log is $work/log while this goes on"
run connect "1 of 3: $connections connections, and what each costs" \
    connect --connections "$connections" --connect-rate 500 --hold 5s
run pace "2 of 3: $people people in a chat app, $rate things a second for $seconds s" \
    mixed --people "$people" --rate "$rate" --duration "${seconds}s"
run maximum "3 of 3: $pairs pairs of users, as fast as it goes for $seconds s" \
    peer --pairs "$pairs" --duration "${seconds}s"

# --- What came of it --------------------------------------------------------------------------------------------------

[ ${#done_runs[@]} -gt 0 ] || fail "nothing was measured"
escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' "$1"; }
{
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><title>Linnet load test</title>'
    echo '<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}pre{overflow-x:auto}</style>'
    echo "<h1>Linnet load test</h1><p>$(date -u '+%Y-%m-%d %H:%M UTC')</p>"
    for name in "${done_runs[@]}"; do
        echo "<h2><a href=\"$name.html\">$name</a></h2><pre>$(escape "$reports/$name.txt")</pre>"
    done
} >"$reports/index.html"

cat <<TEXT

What this means:
  connect   memory of the server for each connection, and its processor time for each login: how many phones fit.
  pace      what people notice. "ack" is how long a sender waited until a message was safe on the disk, "delivery" until
            the other phone had it; half were faster than p50, all but one in a hundred faster than p99.
  maximum   the most messages a second that server and load tester can do together on this machine. Its latencies are those
            of full queues. "per message" is the server's processor time: that number carries over to other machines.
  PASSED    means that no message was lost, doubled or out of order, in any run.
More scenarios, plans, several machines: docs/loadtest.md

The pages with charts: $(cd "$reports" && pwd)/index.html
TEXT
exit "$status"
