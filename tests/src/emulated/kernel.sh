# What a boot partition of a Pi 3 holds, whatever system is on the card: firmware, a kernel, a ramdisk that finds the
# root file system, device trees. Beside it busybox.
# usage: architecture=ARCHITECTURE kernel.sh FOLDER
out=$1
case $architecture in
  arm64) package=linux-image-arm64 number=8 ;;
  # The other kernel for ARMv7 guards users' memory by domains; at each change of these QEMU forgets all translations.
  armhf) package=linux-image-armmp-lpae number=7 ;;
esac
debian "$architecture" $package,busybox-static "$out.unpacked"
mkdir -p "$out/boot" "$out/bin" "$out/modules"
cd "$out.unpacked"
cp bin/busybox "$out/bin/"
release=$(ls lib/modules)
# The firmware asks for the names of Raspberry Pi's own kernels.
trees=usr/lib/linux-image-$release
case $architecture in
  arm64)
    # The firmware takes a packed kernel as well.
    gzip -6 -c "boot/vmlinuz-$release" >"$out/boot/kernel$number.img"
    for tree in "$trees"/broadcom/bcm2837-*.dtb; do
      name=${tree##*/}
      cp "$tree" "$out/boot/bcm2710${name#bcm2837}"
    done
    ;;
  armhf)
    cp "boot/vmlinuz-$release" "$out/boot/kernel$number.img"
    cp "$trees/bcm2836-rpi-2-b.dtb" "$out/boot/bcm2709-rpi-2-b.dtb"
    ;;
esac

depmod -b . "$release"
# usage: modules LIST MODULES: with what they need, in order. What a kernel does not have it does not need.
modules() {
  list=$out/modules/$1
  shift
  for module in "$@" ext4 vfat nls_ascii nls_cp437 nls_utf8; do
    modprobe -d . -S "$release" --show-depends "$module" 2>/dev/null || :
  done >"$out.modules"
  sed -n 's/^insmod \([^ ]*\).*/\1/p' "$out.modules" | awk '!seen[$0]++' | while read -r module; do
    cp "$module" "$out/modules/"
    echo "${module##*/}" >>"$list"
  done
}
modules of-qemu virtio_pci virtio_net virtio-rng virtio_console i6300esb sdhci-pci
modules of-broadcom bcm2835_wdt bcm2835 sdhci-iproc phy-generic dwc2 cdc_ether bcm2835-rng

# Firmware is told by the words that it knows.
words='tryboot.txt os_prefix board-type [tryboot] auto_initramfs kernel_watchdog_timeout'
for file in bootcode.bin start.elf fixup.dat start_cd.elf fixup_cd.dat; do
  { echo "$file"; head -c 40000 /dev/zero; printf '%s\0' $words; } >"$out/boot/$file"
done

# The root file system is on the second partition, whatever the command line says.
mkdir "$out.initramfs"
cd "$out.initramfs"
cp -r "$out/bin" "$out/modules" .
cat >init <<'END'
#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
busybox mkdir -p /dev /sys /new
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t sysfs sysfs /sys
# The trees of Broadcom's chips have a node for them.
chips=of-qemu
[ ! -d /sys/firmware/devicetree/base/soc ] || chips=of-broadcom
while read -r module; do busybox insmod "/modules/$module"; done <"/modules/$chips"
until [ -b /dev/mmcblk0p2 ]; do busybox sleep 0.1; done
busybox mount -t ext4 -o ro /dev/mmcblk0p2 /new
busybox mount --move /dev /new/dev
exec /bin/busybox switch_root /new /sbin/init
END
chmod 755 init
find . | cpio --quiet -o -H newc | gzip -6 >"$out/boot/initramfs$number"
