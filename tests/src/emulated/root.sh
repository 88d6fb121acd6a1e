# The root file system of a small Raspberry Pi OS: Debian's programs, a light PID 1, and stand-ins for what only a Pi
# has. Its card's key is made with it.
# usage: architecture=ARCHITECTURE root.sh FOLDER
out=$1
mkdir "$out"
root=$out/root
debian "$architecture" base-files,base-passwd,bash,dash,coreutils,util-linux,mount,grep,sed,findutils,tar,gzip,dpkg,hostname,\
openssh-server,sudo,busybox-static,procps,iproute2,e2fsprogs,libpam-modules,libpam-runtime,passwd,login "$root"
ssh-keygen -q -t ed25519 -N "" -C emulated -f "$out/id"
cd "$root"

# Accounts.
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
sed -i 's|^root:.*|root:x:0:0:root:/root:/bin/bash|' etc/passwd
echo 'pi:x:1000:1000:,,,:/home/pi:/bin/bash' >>etc/passwd
echo 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin' >>etc/passwd
echo 'pi:x:1000:' >>etc/group
sed 's/:.*/:*:19000:0:99999:7:::/' etc/passwd >etc/shadow
chmod 640 etc/shadow
mkdir -p home/pi/.ssh etc/sudoers.d
cp "$out/id.pub" home/pi/.ssh/authorized_keys
chown -R 1000:1000 home/pi
chmod 700 home/pi/.ssh
echo 'pi ALL=(ALL) NOPASSWD: ALL' >etc/sudoers.d/010_pi-nopasswd
chmod 440 etc/sudoers.d/010_pi-nopasswd
for service in sudo other; do
  printf '%s required pam_permit.so\n' auth account password session >"etc/pam.d/$service"
done
echo 'passwd: files
group: files
hosts: files dns' >etc/nsswitch.conf

# Names.
echo raspberrypi >etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 raspberrypi\n' >etc/hosts
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >etc/machine-id
echo >>etc/machine-id
printf 'PARTUUID=c0ffee42-01 /boot/firmware vfat defaults 0 2\nPARTUUID=c0ffee42-02 / ext4 defaults,noatime 0 1\n' >etc/fstab
mkdir -p boot/firmware etc/ssh
rm -f etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N "" -C raspberrypi -f etc/ssh/ssh_host_ed25519_key
# Without PAM and a look-up of who calls, a login takes half the time.
printf 'UsePAM no\nUseDNS no\nSubsystem sftp /usr/lib/openssh/sftp-server\n' >etc/ssh/sshd_config

# PID 1. On a reboot it does as systemd's does: what is in reboot-param goes to the firmware, with the file systems
# unmounted.
ln -s ../bin/busybox sbin/init
ln -s ../bin/busybox sbin/reboot
cat >etc/inittab <<'END'
::sysinit:/usr/lib/raspberrypi/start
::respawn:/usr/sbin/sshd -D
::shutdown:/usr/lib/raspberrypi/stop
END
mkdir -p usr/lib/raspberrypi
cat >usr/lib/raspberrypi/start <<'END'
#!/bin/sh
# Where the root is mounted from, mount finds out by /proc and /sys.
mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys
mount -o remount,rw,noatime /
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd /run/sshd /run/lock
hostname -F /etc/hostname
mount -t vfat -o rw,relatime,errors=remount-ro /dev/mmcblk0p1 /boot/firmware
ip link set lo up
ip link set eth0 up
busybox udhcpc -i eth0 -s /usr/lib/raspberrypi/lease -f -q -n -t 20 -T 1
END
cat >usr/lib/raspberrypi/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/${mask:-24}" dev "$interface"
ip route replace default via "${router%% *}" dev "$interface"
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
END
cat >usr/lib/raspberrypi/stop <<'END'
#!/bin/sh
# The kernel of a Pi hands it to the firmware; here the port is the way to the firmware.
for port in /dev/vport*p1; do
  [ ! -s /run/systemd/reboot-param ] || cat /run/systemd/reboot-param >"$port"
done
pkill -KILL sshd
umount /boot/firmware
sync
mount -o remount,ro /
END
cat >usr/bin/systemctl <<'END'
#!/bin/sh
case $* in
  reboot) kill -TERM 1 ;;
  is-active*) shift; for unit; do [ "$unit" = dhcpcd ] && echo active || echo inactive; done ;;
  *) echo "systemctl $*: not on this system" >&2; exit 1 ;;
esac
END
cat >usr/bin/vcgencmd <<'END'
#!/bin/sh
case $* in
  version) printf 'Nov  1 2025 10:00:00 \nCopyright (c) 2012 Broadcom\nversion 0123456789abcdef (clean) (release) (start)\n' ;;
  get_throttled) echo throttled=0x0 ;;
  *) echo 'error=1 error_msg="Command not registered"' ;;
esac
END
chmod 755 usr/lib/raspberrypi/* usr/bin/systemctl usr/bin/vcgencmd
chmod 4755 usr/bin/sudo
rm -rf usr/share/doc usr/share/man usr/share/locale var/cache/apt var/lib/apt/lists
mkdir -p var/lib/apt/lists var/cache/apt/archives
