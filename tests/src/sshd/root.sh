#!/bin/sh
# Builds a small look-alike of a Pi with Raspbian around a real sshd, and becomes that sshd.
# usage: root.sh ROOT USERLAND ADDRESS PORT PUBLIC_KEY_FILE
#   ROOT      an empty folder; all that is mounted there dies with the namespaces of this process
#   USERLAND  debian: the host's own programs; busybox: its applets and nothing else
#   ADDRESS   to listen at
# Runs as root in mount, PID and UTS namespaces of its own.
set -eu
root=$1 userland=$2 address=$3 port=$4 key=$5

mount -t tmpfs -o mode=755 root "$root"
key=$(cat "$key")
cd "$root"
mkdir -p usr dev etc/ssh etc/pam.d etc/network/interfaces.d etc/NetworkManager/system-connections \
  root home/pi home/asks home/nosudo tmp run/sshd run/systemd var/lib/dpkg var/lib/apt/lists \
  var/cache/apt/archives boot small proc/net proc/sys/kernel/random proc/sys/vm sys/class/block sys/class/net
chmod 1777 tmp
for name in bin sbin lib lib32 lib64 libx32; do
  [ ! -L "/$name" ] || ln -s "usr/$name" "$name"
done

# Programs.
case $userland in
  debian)
    mount --bind /usr usr
    mount -o remount,bind,ro usr
    mount -t tmpfs -o mode=755 local usr/local
    mkdir usr/local/bin
    shell=/bin/bash
    ;;
  busybox)
    mkdir -p usr/bin usr/sbin usr/local/bin
    for libraries in /usr/lib*; do
      mkdir -p ".$libraries"
      mount --bind "$libraries" ".$libraries"
      mount -o remount,bind,ro ".$libraries"
    done
    cp "$(command -v busybox)" usr/bin/busybox
    for applet in $(busybox --list); do
      [ "$applet" = busybox ] || [ "$applet" = dpkg ] || ln -s busybox "usr/bin/$applet"
    done
    cp -p /usr/bin/sudo usr/bin/sudo
    cp -p /usr/sbin/sshd usr/sbin/sshd
    shell=/bin/sh
    ;;
esac
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx

# Stand-ins for what only a Pi has.
cat >usr/local/bin/systemctl <<'END'
#!/bin/sh
if [ -e /run/systemctl-fails ]; then
  echo "Failed to connect to bus" >&2
  exit 1
fi
if [ "$1" = is-active ]; then
  shift
  for unit; do
    case $unit in dhcpcd) echo active ;; *) echo inactive ;; esac
  done
  exit 3
fi
printf '%s: %s\n' "$*" "$(cat /run/systemd/reboot-param 2>/dev/null)" >>/run/systemctl.log
END
# What comes after a session waits for the test, and tells it what was done.
mkfifo run/gate run/told
cat >usr/local/bin/sleep <<'END'
#!/bin/sh
case $1 in
  1) read -r _ </run/gate ;;
  2) ;;
  *) exec /usr/bin/sleep "$@" ;;
esac
END
cat >usr/local/bin/reboot <<'END'
#!/bin/sh
echo "reboot $*" >>/run/told
END
cat >usr/local/bin/uname <<'END'
#!/bin/sh
case $1 in
  -m) echo armv7l ;;
  -r) echo 5.10.103-v7+ ;;
  *) exec /usr/bin/uname "$@" ;;
esac
END
cat >usr/local/bin/migos-ctl <<'END'
#!/bin/sh
cat >/run/migos-ctl.input
[ "$1" != abort ] || { echo "the commit has been taken" >&2; exit 1; }
echo '{"state":"ready","nonce":"'"${2-}"'","serial":"00000000765fc593","written":0,"total":7,"configured":false}'
END
cat >usr/local/bin/iw <<'END'
#!/bin/sh
[ "$*" = "reg get" ]
printf 'global\ncountry DE: DFS-ETSI\n\t(2400 - 2483 @ 40), (N/A, 20), (N/A)\n\nphy#0\ncountry 99: DFS-UNSET\n'
END
cat >usr/local/bin/dpkg <<'END'
#!/bin/sh
[ "$1" = --configure ]
END
cat >usr/local/bin/apt-get <<'END'
#!/bin/sh
if grep -q ":$(stat -c %i /var/lib/dpkg/lock-frontend) " /proc/locks; then
  echo "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)" >&2
  exit 100
fi
echo "$*" >>/run/apt.log
case "$*" in *install*) [ ! -p /run/apt-gate ] || read -r error </run/apt-gate ;; esac
[ -z "${error-}" ] || { printf '%s\n' "$error" >&2; exit 100; }
END
if [ "$userland" = debian ]; then
  cat >usr/local/bin/dpkg <<'END'
#!/bin/sh
case $1 in
  --print-architecture) echo armhf ;;
  --configure) ;;
  *) exit 1 ;;
esac
END
  cat >usr/local/bin/vcgencmd <<'END'
#!/bin/sh
case $1 in
  version) printf 'May 14 2025 12:23:36 \nCopyright (c) 2012 Broadcom\nversion 17084b40 (clean) (release) (start)\n' ;;
  get_throttled) echo throttled=0x50005 ;;
esac
END
fi
chmod 755 usr/local/bin/*

# Users: pi may use sudo freely, asks with the password, nosudo not at all.
cat >etc/passwd <<END
root:x:0:0:root:/root:$shell
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
pi:x:1000:1000::/home/pi:$shell
asks:x:1001:1001::/home/asks:$shell
nosudo:x:1002:1002::/home/nosudo:$shell
END
cat >etc/group <<'END'
root:x:0:
nogroup:x:65534:
pi:x:1000:
asks:x:1001:
nosudo:x:1002:
END
# Of the password: it's $HOME
cat >etc/shadow <<'END'
root:*:19000::::::
sshd:*:19000::::::
pi:*:19000::::::
asks:$6$migos$jHu0NYDYv98Tdt1H9c.BCv03g909ta7zCTsau4HhVisWjN9Jvbrr6Wl.aIhpKB83QGJcEctrPxWC9dJcCQGlF/:19000::::::
nosudo:$6$migos$jHu0NYDYv98Tdt1H9c.BCv03g909ta7zCTsau4HhVisWjN9Jvbrr6Wl.aIhpKB83QGJcEctrPxWC9dJcCQGlF/:19000::::::
END
cat >etc/sudoers <<'END'
Defaults env_reset, use_pty
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
pi ALL=(ALL) NOPASSWD: ALL
asks ALL=(ALL) ALL
END
chmod 440 etc/sudoers
chown 1000:1000 home/pi
chmod 600 etc/shadow
printf 'auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >etc/pam.d/sudo
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' >etc/nsswitch.conf
printf '127.0.0.1 localhost\n127.0.1.1 raspberrypi\n' >etc/hosts
hostname raspberrypi

# The machine.
printf '0123456789abcdef0123456789abcdef\n' >etc/machine-id
cat >etc/os-release <<'END'
PRETTY_NAME="Raspbian GNU/Linux 11 (bullseye)"
VERSION_ID="11"
ID=raspbian
END
tree=sys/firmware/devicetree/base
mkdir -p $tree/system $tree/chosen/bootloader
printf 'Raspberry Pi 3 Model B Plus Rev 1.3\0' >$tree/model
printf '00000000765fc593\0' >$tree/serial-number
printf '\000\240\040\323' >$tree/system/linux,revision
printf '\143\276\370\244' >$tree/chosen/bootloader/build-timestamp
printf '\000\000\000\177' >$tree/chosen/bootloader/capabilities
printf 'MemTotal:         945364 kB\nMemFree:          500000 kB\n' >proc/meminfo
printf 'console=serial0,115200 root=PARTUUID=12345678-02 rootwait\n' >proc/cmdline
printf '9c52f6ab-35f5-4a8e-8e07-6f0d4c1b8a11\n' >proc/sys/kernel/random/boot_id
: >proc/sys/vm/drop_caches
printf '1000.25 3000.50\n' >proc/uptime
ln -s /run/told proc/sysrq-trigger
: >proc/locks
mount --bind /proc/locks proc/locks
cat >proc/mounts <<'END'
/dev/mmcblk0p2 / ext4 rw,noatime 0 0
/dev/mmcblk0p1 /boot ext4 rw,relatime 0 0
END
cat >proc/net/route <<'END'
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100A8C0	0003	0	0	202	00000000	0	0	0
wlan0	00000000	0100A8C0	0003	0	0	303	00000000	0	0	0
END
block=devices/platform/mmc/mmc_host/mmc0/block/mmcblk0
mkdir -p sys/$block/mmcblk0p1 sys/$block/mmcblk0p2
echo 31116288 >sys/$block/size
echo 1 >sys/$block/mmcblk0p1/partition
echo 2 >sys/$block/mmcblk0p2/partition
ln -s ../../$block sys/class/block/mmcblk0
ln -s ../../$block/mmcblk0p1 ../../$block/mmcblk0p2 sys/class/block/
{ head -c 440 /dev/zero; printf '\170\126\064\022\000\000'; } >dev/mmcblk0
mkdir -p sys/devices/virtual/net/lo sys/class/net/lo sys/class/net/eth0/device \
  sys/class/net/wlan0/device sys/class/net/wlan0/wireless
echo 00:00:00:00:00:00 >sys/class/net/lo/address
echo b8:27:eb:00:00:01 >sys/class/net/eth0/address
echo b8:27:eb:00:00:02 >sys/class/net/wlan0/address
: >var/lib/dpkg/lock-frontend
: >var/lib/dpkg/lock

# The boot partition, and a full disk.
mount -t tmpfs boot boot
mkdir boot/overlays
printf '[all]\ngpu_mem=16\n' >boot/config.txt
printf 'console=serial0,115200 root=PARTUUID=12345678-02 rootwait' >boot/cmdline.txt
printf 'boot\0tryboot.txt\0code' >boot/bootcode.bin
printf 'start\0tryboot.txt\0x\0kernel_watchdog_timeout\0' >boot/start.elf
printf 'start\0without\0' >boot/start_x.elf
printf 'overlay' >'boot/overlays/a b.dtbo'
mount -t tmpfs -o size=1m small small

# The server. One session at a time is the hardest for a client; root is for OpenSSH's.
ssh-keygen -q -t ed25519 -N '' -f etc/ssh/host_ed25519
ssh-keygen -q -t ecdsa -N '' -f etc/ssh/host_ecdsa
printf '%s\n' "$key" >etc/ssh/authorized_keys
cp etc/pam.d/sudo etc/pam.d/sshd
cat >etc/ssh/sshd_config <<END
${SSHD_FIRST:-}
ListenAddress $address
Port $port
HostKey /etc/ssh/host_ed25519
HostKey /etc/ssh/host_ecdsa
AuthorizedKeysFile /etc/ssh/authorized_keys .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
StrictModes no
PidFile none
MaxSessions 1
MaxStartups 100
Match User root
MaxSessions 10
END
exec chroot "$root" /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config </dev/null
