#!/bin/sh
# Installs a Python for aarch64 in a folder, and qemu-user, which runs it on this machine. Needs Debian 12 and root.
# Only qemu-user is installed in the system.
# Usage: arm64.sh DIRECTORY
set -eu
directory=$1
packages="libc6 libgcc-s1 libbz2-1.0 libexpat1 libffi8 liblzma5 libssl3 libuuid1 zlib1g
    libpython3.11-minimal libpython3.11-stdlib python3.11-minimal"

if ! command -v qemu-aarch64 >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
        echo "arm64: expected qemu-aarch64 (Debian: apt-get install qemu-user), found none" >&2
        exit 1
    fi
    echo "arm64: apt-get install qemu-user"
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends qemu-user >/dev/null
fi
if [ -x "$directory/root/usr/bin/python3.11" ]; then
    echo "arm64: $directory is up to date"
    exit
fi
echo "arm64: Python 3.11 into $directory"
rm -rf "$directory"
mkdir -p "$directory/lists/partial" "$directory/debs" "$directory/fresh"
# The package lists of the other architecture are separate from the system's.
own="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$(realpath "$directory")/lists"
# shellcheck disable=SC2086 # options
apt-get -qq $own update
# shellcheck disable=SC2086 # options and packages
(cd "$directory/debs" && apt-get -qq $own download $packages)
for package in "$directory"/debs/*.deb; do
    dpkg -x "$package" "$directory/fresh"
done
# Last, so that an interrupted run starts again.
mv "$directory/fresh" "$directory/root"
