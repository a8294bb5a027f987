#!/bin/sh
# The programs for Node.js that the tests run, in the versions of tests/setup/node/package-lock.json.
# Usage: node.sh DIRECTORY
set -eu
folder=$1
source=$(dirname "$0")/node

if ! command -v npm >/dev/null 2>&1; then
    echo "node: expected npm (Node.js 20 or newer); found none" >&2
    exit 1
fi
if cmp -s "$source/package-lock.json" "$folder/installed.json"; then
    echo "node: $folder is up to date"
    exit
fi
echo "node: $(node --version) into $folder"
mkdir -p "$folder"
cp "$source/package.json" "$source/package-lock.json" "$folder"
# No package needs its install script, and none runs one.
(cd "$folder" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
# Last, so that an interrupted installation is begun again.
cp "$source/package-lock.json" "$folder/installed.json"
