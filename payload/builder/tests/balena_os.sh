# Makes a small image with partitions and file systems as balenaOS has them, of real tools.
# usage: sh balena_os.sh IMAGE PREFIX DEVICE_TYPE ARCHITECTURE VERSION
set -eu
PATH=$PATH:/usr/sbin:/sbin
export MTOOLS_SKIP_CHECK=1
image=$1 prefix=$2
out=$(mktemp -d)
# MiB from the start of the card: boot, rootA, rootB, and in an extended partition state and data. The last three sectors
# belong to no partition.
truncate -s $((12 * 1048576 + 3 * 512)) "$image"
sfdisk --quiet "$image" <<'TABLE'
label: dos
start=4MiB, size=2MiB, type=c, bootable
start=6MiB, size=1MiB, type=83
start=7MiB, size=1MiB, type=83
start=8MiB, size=4MiB, type=f
start=9MiB, size=1MiB, type=83
start=11MiB, size=1MiB, type=83
TABLE
printf '{"slug": "%s", "arch": "%s", "name": "a Pi"}\n' "$3" "$4" >"$out/device-type.json"
printf 'ID="balena-os"\nPRETTY_NAME="balenaOS %s"\n' "$5" >"$out/os-release"
truncate -s 2M "$out/fat"
mkfs.vfat -i ba1e5a05 -n "$prefix-boot" "$out/fat" >"$out/log" 2>&1
mcopy -i "$out/fat" "$out/device-type.json" "$out/os-release" ::/
dd if="$out/fat" of="$image" bs=1M seek=4 conv=notrunc status=none
# usage: filesystem LABEL START, in MiB
filesystem() {
  mke2fs -q -t ext4 -O ^has_journal -L "$1" -E offset=$(($2 << 20)) "$image" 1024k
}
filesystem "$prefix-rootA" 6
filesystem "$prefix-rootB" 7
filesystem "$prefix-state" 9
filesystem "$prefix-data" 11
rm -r "$out"
