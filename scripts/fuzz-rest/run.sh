#!/usr/bin/env bash
# Lets schemathesis ask the running service whatever its OpenAPI document allows, and more: `run.sh [CASES]`.
#
# CASES, 10000 if not given, are spread over all operations. Nothing may be answered with a 5xx that the document does not name, or
# otherwise than the document says; and no tenant may be told what is another's.
# With `run.sh --short`, a few for each operation, and none at all where Python cannot be had.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=scripts/fuzz-rest
venv=target/fuzz-rest
cases="${1:-10000}"

prepare() {
    command -v python3 >/dev/null || return 1
    cmp -s "$here/requirements.txt" "$venv/requirements.txt" && return 0
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" &&
        cp "$here/requirements.txt" "$venv/requirements.txt"
}

if ! prepare >/dev/null 2>&1; then
    if [ "$cases" = --short ]; then
        echo "fuzz-rest: skipped, for there is no python3 with venv and pip here, or no way to PyPI"
        exit 0
    fi
    echo "fuzz-rest: needs python3 with venv and pip, and PyPI" >&2
    exit 1
fi

binary="${LINNET:-}"
if [ -z "$binary" ]; then
    cargo build --quiet --package linnet-server --bin linnet
    target="${CARGO_TARGET_DIR:-target}"
    binary="$(realpath "$target")/debug/linnet"
fi

site="$(mktemp -d)"
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$site"
}
trap stop EXIT

any=127.0.0.1:0
(cd "$site" && exec "$binary" serve --tcp "$any" --tls "$any" --quic "$any" --rest "$any" --ready-file "$site/ready") >"$site/log" 2>&1 &
server=$!
for _ in $(seq 600); do
    [ -s "$site/ready" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$site/log" >&2; exit 1; }
    sleep 0.1
done
url="http://$(sed -n 's/.*"rest":"\([^"]*\)".*/\1/p' "$site/ready")"
(cd "$site" && "$binary" app create --id north --number 7001 --secret north-secret --admin chief >/dev/null)
(cd "$site" && "$binary" app create --id south --number 7002 --secret south-secret --admin chief >/dev/null)

"$venv/bin/python" "$here/fuzz.py" "$url" "$cases" || { echo "fuzz-rest: the server said:" >&2; tail -n 20 "$site/log" >&2; exit 1; }
if grep -E '"?level"?[=: ]*"?ERROR|panicked' "$site/log" >&2; then
    echo "fuzz-rest: the server's log has errors" >&2
    exit 1
fi
