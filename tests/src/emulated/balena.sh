# A card image as balenaOS's are: the same partitions with the same labels, its own kernel, and of the supervisor what
# makes a device known to balena. Its first partition's config.json is the device's own.
# usage: balena.sh FOLDER KERNEL
out=$1 kernel=$2
mkdir -p "$out/boot" "$out/root" "$out/empty"
image=$out/balena.img
cd "$out/boot"
cp "$kernel"/boot/* .
printf 'arm_64bit=1\nauto_initramfs=1\n' >config.txt
echo 'console=tty1 root=LABEL=resin-rootA rootwait net.ifnames=0' >cmdline.txt

cd "$out/root"
mkdir -p bin sbin dev proc sys run tmp etc mnt/boot mnt/state mnt/data
cp "$kernel/bin/busybox" bin/
for applet in sh mount ip udhcpc sed cat grep printf sleep timeout nc tr hostname; do ln -s busybox "bin/$applet"; done
echo 'PRETTY_NAME="balenaOS 6.0.24"' >etc/os-release
cat >etc/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/${mask:-24}" dev "$interface"
ip route replace default via "${router%% *}" dev "$interface"
END
cat >sbin/init <<'END'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t vfat /dev/mmcblk0p1 /mnt/boot
mount -t ext4 /dev/mmcblk0p5 /mnt/state
mount -t ext4 /dev/mmcblk0p6 /mnt/data
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -s /etc/lease -f -q -n -t 20 -T 1
version=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
address=$(ip -4 address show eth0 | sed -n 's|.*inet \([^/]*\)/.*|\1|p')
mac=$(cat /sys/class/net/eth0/address | tr a-f A-F)

value() { sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" /mnt/boot/config.json; }
uuid=$(value uuid) key=$(value deviceApiKey) api=$(value apiEndpoint)
# A supervisor that misses any of these, or has a key of the fleet, would register again, as another device.
for field in uuid deviceApiKey deviceId registered_at applicationId deviceType apiEndpoint; do
  [ -n "$(value $field)" ] || { echo "config.json has no $field" >/dev/console; while :; do sleep 3600; done; }
done
[ -z "$(value apiKey)" ] || { echo "config.json has a key of the fleet" >/dev/console; while :; do sleep 3600; done; }

host=${api#http://}
port=${host##*:}
# What is on the loopback of the computer outside is at this address in here (QEMU: user networking).
case $host in 127.0.0.1:*) gate=10.0.2.2 ;; *) gate=${host%:*} ;; esac
# usage: request METHOD PATH [BODY]
request() {
  : >/run/answer
  {
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n' "$1" "$2" "$host" "$key"
    printf 'Content-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#3}" "$3"
    # A server takes the end of what is sent for the end of the interest in its answer.
    tries=0
    until [ -s /run/answer ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  } | timeout 20 nc $gate "$port" >/run/answer
  cat /run/answer
}
while :; do
  pause=1
  if answer=$(request GET "/device/v3/$uuid/state") && [ "${answer#HTTP/1.1 200}" != "$answer" ]; then
    own="\"status\":\"Idle\",\"os_version\":\"$version\",\"os_variant\":\"prod\",\"supervisor_version\":\"17.4.0\""
    own="$own,\"mac_address\":\"$mac\",\"ip_address\":\"$address\""
    # The app that it should run, it runs.
    app=$(printf '%s' "$answer" | sed -n 's/.*"apps":{"\([^"]*\)":.*/\1/p')
    commit=$(printf '%s' "$answer" | sed -n 's/.*"releases":{"\([^"]*\)":.*/\1/p')
    [ -z "$commit" ] || own="$own,\"apps\":{\"$app\":{\"release_uuid\":\"$commit\"}}"
    own="{\"$uuid\":{$own}}"
    request PATCH /device/v3/state "$own" >/run/told
    interval=$(printf '%s' "$answer" | sed -n 's/.*"RESIN_SUPERVISOR_POLL_INTERVAL":"\([0-9]*\)".*/\1/p')
    [ "${interval:-0}" -lt 1000 ] || pause=$((interval / 1000))
  fi
  sleep $pause
done
END
chmod 755 sbin/init etc/lease

# MiB from the start of the card: boot, rootA, rootB, and in an extended partition state and data.
truncate -s 56M "$image"
sfdisk --quiet "$image" <<'END'
label: dos
label-id: 0xba1e5a05
start=4MiB, size=24MiB, type=c, bootable
start=28MiB, size=8MiB, type=83
start=36MiB, size=2MiB, type=83
start=38MiB, size=18MiB, type=f
start=39MiB, size=8MiB, type=83
start=48MiB, size=8MiB, type=83
END
truncate -s 24M "$out/fat"
mkfs.vfat -F 16 -n RESIN-BOOT "$out/fat" >"$out/log"
mcopy -s -i "$out/fat" "$out"/boot/* ::/
dd if="$out/fat" of="$image" bs=1M seek=4 conv=notrunc,sparse status=none
# usage: filesystem LABEL FOLDER START SIZE, in MiB
filesystem() {
  mke2fs -q -t ext4 -O ^orphan_file,^has_journal -L "$1" -d "$2" -E offset=$(($3 << 20)) "$image" $(($4 << 10))k
}
filesystem resin-rootA "$out/root" 28 8
filesystem resin-rootB "$out/empty" 36 2
filesystem resin-state "$out/empty" 39 8
filesystem resin-data "$out/empty" 48 8
cd /
rm -r "$out/boot" "$out/root" "$out/empty" "$out/fat" "$out/log"
