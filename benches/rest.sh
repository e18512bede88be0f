#!/usr/bin/env bash
# Measures the REST service with wrk: a read, a read that many want, and a durable send, each beside a bare hyper "hello" in the same round,
# since only the ratio holds still on a busy machine. ROUNDS (3), SECONDS_EACH (5) and CONNECTIONS (64) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds="${ROUNDS:-3}" seconds="${SECONDS_EACH:-5}" connections="${CONNECTIONS:-64}"
command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 1; }
work="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT

target/release/linnet serve --data-dir "$work/data" --tcp 127.0.0.1:0 --tls 127.0.0.1:0 --quic 127.0.0.1:0 --rest 127.0.0.1:0 \
    --ready-file "$work/ready" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 200); do [ -s "$work/ready" ] && break; sleep 0.1; done
linnet="http://$(sed 's/.*"rest":"\([^"]*\)".*/\1/' "$work/ready")"
target/release/hello 127.0.0.1:18099 &
hello="http://127.0.0.1:18099"

target/release/linnet app create --id bench --number 7 --key bench-key --secret bench-secret --data-dir "$work/data" >/dev/null
post() { curl -fsS -H 'content-type: application/json' "$@"; }
auth="$(printf '7:%s' "$(printf bench-secret | md5sum | cut -d' ' -f1)" | base64 -w0)"
for uid in $(seq 1 200); do
    post "$linnet/auth/grant" -H "Authorization: Basic $auth" -d '{"uid":'"$uid"',"user_name":"u"}' >/dev/null
done
post "$linnet/user/register/v2" -H 'app_id: bench' -d '{"username":"reader","password":"reader-password"}' >/dev/null
token="$(post "$linnet/token/user" -H 'app_id: bench' -d '{"name":"reader","password":"reader-password"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')"

cat >"$work/profile.lua" <<LUA
wrk.headers["app_id"] = "bench"
wrk.headers["access-token"] = "$token"
LUA
cat >"$work/send.lua" <<LUA
local n, text = 0, string.rep("x", 200)
request = function()
  n = n + 1
  local sender = n % 100 + 1
  local body = string.format('{"sender":%d,"receiver":%d,"content":"{\\\\"text\\\\":\\\\"%s\\\\"}"}', sender, sender + 100, text)
  return wrk.format("POST", nil, {["Authorization"] = "Basic $auth", ["Content-Type"] = "application/json"}, body)
end
LUA

# rate URL [SCRIPT]: requests a second; anything but 2xx fails the run.
rate() {
    local out
    out="$(wrk -t1 -c"$connections" -d"${seconds}s" ${2:+-s "$2"} "$1")"
    if grep -q "Non-2xx" <<<"$out"; then echo "$out" >&2; exit 1; fi
    awk '/Requests\/sec/ { print $2; found = 1 } END { exit !found }' <<<"$out"
}

printf '%-6s %12s %12s %12s %12s\n' round hello version profile send
for round in $(seq "$rounds"); do
    h="$(rate "$hello/")"
    v="$(rate "$linnet/version")"
    p="$(rate "$linnet/user/profile" "$work/profile.lua")"
    s="$(rate "$linnet/messages/peers" "$work/send.lua")"
    printf '%-6s %12s %12s %12s %12s\n' "$round" "$h" "$v" "$p" "$s"
    awk -v h="$h" -v v="$v" -v p="$p" -v s="$s" 'BEGIN { printf "%-6s %12s %12.2f %12.2f %12.2f\n", "ratio", "", v/h, p/h, s/h }'
done
kill -0 "$server"
