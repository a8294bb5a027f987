#!/bin/sh
# Creates a virtual environment with the packages of the Python tests and of `make package`.
# Usage: python.sh DIRECTORY REQUIREMENTS
set -eu
venv=$1
requirements=$2

if cmp -s "$requirements" "$venv/requirements.txt"; then
    echo "python: $venv is up to date"
    exit
fi
for python in python3.11 python3; do
    if command -v "$python" >/dev/null 2>&1 &&
        "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        echo "python: $("$python" --version) into $venv"
        # An existing environment is updated; an unfinished one is created again.
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --requirement "$requirements"
        # Last, so that an interrupted installation starts again.
        cp "$requirements" "$venv/requirements.txt"
        exit
    fi
done
echo "python: expected Python 3.11, which is what Snowflake's procedures run on; found none" >&2
exit 1
