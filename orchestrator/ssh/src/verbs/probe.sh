[ $# -le 1 ] || fail 64 "probe takes a connection and nothing else"
# `set` takes the place of the arguments below.
connection=${1-}
# A fact that cannot be read is left out; nothing stops the rest.
set +e
exec 2>/dev/null
PATH=$PATH:/opt/vc/bin
lines() { tr -d "\000" | grep -a "" | sed "s/^/$1 /"; }
file() { [ ! -f "$2" ] || lines "$1" <"$2"; }
hex() { [ ! -r "$1" ] || od -An -N4 -tx1 "$1" | tr -d " \n"; }
u32() { value=$(hex "$2"); [ -z "$value" ] || say "$1" "$(printf %d "0x$value")"; }
of_mounts() { sed -n "s|^\([^ ]*\) $1 .*|\1|p" /proc/mounts | tail -n 1; }

echo migos-probe 1
say model "$(text $base/model)"
revision=$(hex $base/system/linux,revision)
say revision "${revision:-$(sed -n "s/^Revision[[:space:]]*: //p" /proc/cpuinfo)}"
board
say hostname "$(uname -n)"
file os-release /etc/os-release
say kernel "$(uname -r)"
say machine "$(uname -m)"
say userland "$(dpkg --print-architecture)"
say memory "$(sed -n "s/^MemTotal: *\([0-9]*\) kB.*/\1/p" /proc/meminfo)"
file mount /proc/mounts
say root.space "$(stat -f -c "%S %a %b" /)"
file cmdline /proc/cmdline

if [ -n "$boot" ]; then
  say boot.path "$boot"
  say boot.space "$(stat -f -c "%S %a %b" "$boot")"
  ( cd "$boot" && find . -xdev -type f -exec stat -c "%s %n" {} + | sed "s|^\([0-9]*\) \./|boot.file \1 |" )
  boot_sums
  file config.txt "$boot/config.txt"
  file cmdline.txt "$boot/cmdline.txt"
  for path in "$boot"/bootcode.bin "$boot"/start*.elf; do
    [ -f "$path" ] || continue
    # One pass per file; without NULs, so that no grep takes it for short strings.
    tr "\000" "\n" <"$path" | grep -a -o -F -e tryboot.txt -e kernel_watchdog_timeout | sort -u |
      while read -r word; do say firmware.has "$word ${path##*/}"; done
  done
  part=$(of_mounts "$boot")
  dmesg | grep -a -F "FAT-fs (${part##*/})" | grep -a -F "not properly unmounted" | tail -n 1 | lines boot.dirty
  part=/sys/class/block/${part##*/}
  say boot.partition "$(text "$part/partition")"
  disk=$(readlink -f "$part")
  [ ! -f "$part/partition" ] || disk=${disk%/*}
  disk=${disk##*/}
  if [ -f "/sys/class/block/$disk/size" ]; then
    say disk "$disk $(text "/sys/class/block/$disk/size")"
    set -- $(od -An -j440 -N4 -tx1 "/dev/$disk")
    [ $# -ne 4 ] || say disk.id "$4$3$2$1"
    [ "$(text "/sys/class/block/$disk/ro")" != 1 ] || say disk.read-only yes
  fi
fi
for path in /sys/class/block/dm-*; do
  [ ! -e "$path" ] || say dm "${path##*/}"
done

if version=$(vcgencmd version); then printf "%s\n" "$version" | lines firmware.version; fi
throttled=$(vcgencmd get_throttled)
case $throttled in throttled=0x*) say throttled "${throttled#*=}" ;; esac
u32 eeprom.build-timestamp $base/chosen/bootloader/build-timestamp
u32 eeprom.capabilities $base/chosen/bootloader/capabilities
u32 eeprom.signed $base/chosen/bootloader/signed
vcgencmd bootloader_config | sed -n "/^\[config.txt\]/,\$p" | lines eeprom.config

say connection "$connection"
# A link's own line stands among those of its addresses with some versions.
ip -o address | while read -r _ name family address _; do
  case $family in inet|inet6) say address "${name%%@*} ${address%%/*}" ;; esac
done
for path in /sys/devices/virtual/net/*; do
  [ ! -d "$path" ] || say virtual "${path##*/}"
done
[ ! -f /proc/net/route ] || sed 1d /proc/net/route | lines route
for path in /sys/class/net/*; do
  name=${path##*/}
  [ -e "$path/address" ] && [ "$name" != lo ] || continue
  say mac "$name $(text "$path/address")"
  if [ -e "$path/wireless" ] || [ -e "$path/phy80211" ]; then say wireless "$name"; fi
done

# From here on files may hold passwords: only lines that are known to hold none are told.
plain() { grep -a -v -e "^[[:space:]]*$" -e "^[[:space:]]*#" "$1"; }
if [ -f /etc/dhcpcd.conf ]; then
  plain /etc/dhcpcd.conf | grep -a -v -i -e auth -e secret -e token | lines dhcpcd
fi
for path in /etc/network/interfaces /etc/network/interfaces.d/*; do
  [ -f "$path" ] || continue
  plain "$path" | grep -a -E "^[[:space:]]*(auto|allow-[a-z]+|iface|source|source-directory|address|netmask|gateway|dns-[a-z]+)[[:space:]]" | lines interfaces
done
for path in /etc/NetworkManager/system-connections/* /run/NetworkManager/system-connections/*; do
  [ -f "$path" ] || continue
  grep -a -E -e "^[[:space:]]*\[[^]]*\][[:space:]]*$" -e "^[[:space:]]*(type|method|interface-name)[[:space:]]*=" "$path" |
    sed "s/[[:space:]]*=[[:space:]]*/=/" | lines nm
done
for path in /etc/netplan/*.yaml; do
  [ ! -f "$path" ] || say nm.generated "$path"
done
echo end ok
