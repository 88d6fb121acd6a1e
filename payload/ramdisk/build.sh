#!/bin/sh
# Builds MIGOS's program: static, for 64-bit Pis. Prints the path of what it has built.
# Wants: rustup target add aarch64-unknown-linux-musl
set -eu
TARGET=${1:-aarch64-unknown-linux-musl}
cd "$(dirname "$0")"
# rust-lld comes with the compiler, so that no cross compiler is needed. A panic of the first process has to
# end it: then the kernel resets the board. The size counts, since old boot partitions have 20 MB left.
# A folder of its own: the workspace's profile is another one, and what is built for it stays.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/ramdisk"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
export CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_STRIP=true
export CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
cargo build --quiet --release --locked --package migos-ramdisk --bin migos --target "$TARGET" >&2
echo "$CARGO_TARGET_DIR/$TARGET/release/migos"
