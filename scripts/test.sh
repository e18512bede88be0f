#!/usr/bin/env bash
# Runs the examples in the documentation, then every test. The runner's summary comes last.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --quiet --workspace --doc
scripts/fuzz-rest/run.sh --short
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --no-fail-fast
fi
exec cargo test --workspace --all-targets --no-fail-fast
