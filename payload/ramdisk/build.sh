#!/bin/sh
# Builds MIGOS's program: static, for 64-bit Pis. Prints the path of what it has built.
set -eu
TARGET=${1:-aarch64-unknown-linux-musl}
cd "$(dirname "$0")"
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$TARGET/lib" ]; then
  command -v rustup >/dev/null || {
    echo "This Rust has no standard library for $TARGET, and there is no rustup to add it." >&2
    echo "Install Rust with rustup (https://rustup.rs), or add that library to this one." >&2
    exit 1
  }
  rustup target add "$TARGET" >&2
fi
# rust-lld comes with the compiler, so that no cross compiler is needed. A panic of the first process has to
# end it: then the kernel resets the board. The size counts, since old boot partitions have 20 MB left.
# A folder of its own: the workspace's profile is another one, and what is built for it stays.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/ramdisk"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
export CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_STRIP=true
export CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
cargo build --quiet --release --locked --package migos-ramdisk --bin migos --target "$TARGET" >&2
echo "$CARGO_TARGET_DIR/$TARGET/release/migos"
