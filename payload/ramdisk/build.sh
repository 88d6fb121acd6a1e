#!/bin/sh
# Builds MIGOS's program, static, for 64-bit Pis or for all 32-bit ones. Prints the path of what it has built.
set -eu
TARGET=${1:-aarch64-unknown-linux-musl}
cd "$(dirname "$0")"
# What rustup adds, but for the first time, is there already.
add() {
    command -v rustup >/dev/null || {
        echo "This Rust has no $2 for $TARGET, and there is no rustup to add it: install Rust with rustup." >&2
        exit 1
    }
    rustup "$1" add "$2" >&2
}
# A panic of the first process has to end it: then the kernel resets the board. The size counts, since old boot
# partitions have 20 MB left. A folder of its own: the workspace's profile is another one, and what is built for it stays.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/ramdisk"
export CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_STRIP=true
export CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
case $TARGET in
aarch64-unknown-linux-musl)
    # rust-lld comes with the compiler, so that no cross compiler is needed.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
    [ -d "$(rustc --print sysroot)/lib/rustlib/$TARGET/lib" ] || add target "$TARGET"
    set --
    ;;
arm-unknown-linux-gnueabi)
    # One program for every 32-bit Pi: Debian's libc of armel asks for no more than the oldest has, while that of armhf
    # is ARMv7 throughout. Rust brings no standard library for it ready-made, so it is built from its sources.
    command -v arm-linux-gnueabi-gcc >/dev/null || {
        echo "a cross compiler is missing: apt-get install gcc-arm-linux-gnueabi libc6-dev-armel-cross" >&2
        exit 1
    }
    export CARGO_TARGET_ARM_UNKNOWN_LINUX_GNUEABI_LINKER=arm-linux-gnueabi-gcc
    export CARGO_TARGET_ARM_UNKNOWN_LINUX_GNUEABI_RUSTFLAGS=-Ctarget-feature=+crt-static
    export RUSTC_BOOTSTRAP=1
    [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || add component rust-src
    set -- -Zbuild-std=std,panic_abort
    ;;
*)
    echo "not a target that MIGOS is built for: $TARGET" >&2
    exit 1
    ;;
esac
cargo build --quiet --release --locked --package migos-ramdisk --bin migos --target "$TARGET" "$@" >&2
echo "$CARGO_TARGET_DIR/$TARGET/release/migos"
