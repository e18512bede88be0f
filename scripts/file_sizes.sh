#!/usr/bin/env bash
# Refuses source files that have grown too long to be read in one go.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=800
long="$(git ls-files -co --exclude-standard '*.rs' | xargs -r wc -l | awk -v limit="$limit" '$2 != "total" && $1 > limit')"
if [ -n "$long" ]; then
    echo "files of more than $limit lines; split them:" >&2
    echo "$long" >&2
    exit 1
fi
