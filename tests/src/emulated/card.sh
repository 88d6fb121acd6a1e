# The card of a Pi 3 with a small Raspberry Pi OS: an MBR with the disk id c0ffee42, a FAT to boot from, as small as old
# cards have it, an ext4.
# usage: card.sh FOLDER KERNEL ROOT
out=$1 kernel=$2 root=$3
mkdir -p "$out/boot/overlays"
card=$out/card.img
cp "$root/id" "$root/id.pub" "$out/"
cd "$out/boot"

cp "$kernel"/boot/* .
echo 'No overlays.' >overlays/README
cat >config.txt <<'END'
# Read by the firmware at power-on.
dtparam=audio=on
camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
arm_64bit=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[all]
END
# Without net.ifnames=0 the Ethernet port is not eth0 here.
echo 'console=serial0,115200 console=tty1 root=PARTUUID=c0ffee42-02 rootfstype=ext4 fsck.repair=yes rootwait net.ifnames=0' >cmdline.txt

first=8192 boot=90112 second=98304 all=2097152
truncate -s $((all * 512)) "$card"
sfdisk --quiet "$card" <<END
label: dos
label-id: 0xc0ffee42
start=$first, size=$boot, type=c
start=$second, type=83
END
truncate -s $((boot * 512)) "$out/fat"
mkfs.vfat -F 32 -s 1 -n bootfs "$out/fat" >"$out/log"
mcopy -s -i "$out/fat" ./* ::/
dd if="$out/fat" of="$card" bs=1M seek=$((first / 2048)) conv=notrunc,sparse status=none
mke2fs -q -t ext4 -O ^orphan_file -L rootfs -d "$root/root" -E offset=$((second * 512)) "$card" $(((all - second) / 2))k
cd /
rm -r "$out/boot" "$out/fat" "$out/log"
