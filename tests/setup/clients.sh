#!/bin/sh
# Clients of Snowflake that the tests run against the emulator, each in a virtual environment of its own.
# Usage: clients.sh DIRECTORY
set -eu
folder=$1
source=$(dirname "$0")/clients

for requirements in "$source"/*.txt; do
    venv=$folder/$(basename "$requirements" .txt)
    if cmp -s "$requirements" "$venv/requirements.txt"; then
        echo "clients: $venv is up to date"
        continue
    fi
    echo "clients: $venv"
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    # Last, so that an interrupted installation is begun again.
    cp "$requirements" "$venv/requirements.txt"
done
