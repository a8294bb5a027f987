#!/bin/sh
# Installs the compiler of the component that host/build.rs uses, and prints which one it is.
set -eu
target=wasm32-unknown-unknown

ready() { # rustc
    command -v "$1" >/dev/null 2>&1 &&
        ls "$("$1" --print target-libdir --target "$target" 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1
}

debian() { # the distribution's compiler has the source of the standard library, and builds it
    [ -f "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std/Cargo.toml" ] &&
        [ -x /usr/bin/cargo ] && [ -n "$(command -v wasm-ld-19 || command -v wasm-ld)" ]
}

if [ -n "${SNOWCAT_COMPONENT:-}" ]; then
    echo "component: $SNOWCAT_COMPONENT is used unchanged"
    exit
fi
if ! ready rustc && command -v rustup >/dev/null 2>&1; then
    echo "component: rustup target add $target"
    rustup target add "$target" || echo "component: rustup cannot install it"
fi
if ready rustc; then
    echo "component: rustc $(rustc --version | cut -d' ' -f2) has $target"
    exit
fi
if ! debian && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "component: apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-19"
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends \
        rustc-web cargo-web rust-web-src rust-web-llvm lld-19 >/dev/null
fi
if debian; then
    echo "component: rustc $(/usr/bin/rustc --version | cut -d' ' -f2) builds the standard library for $target"
    exit
fi
cat >&2 <<END
component: no compiler for $target. Install one by one of these commands:
    rustup target add $target
    apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-19    (Debian 12, as root)
or set SNOWCAT_COMPONENT to a component that is built already.
END
exit 1
