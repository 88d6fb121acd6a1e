connection=${1-}
[ $# -eq 0 ] || shift
# `set` takes the place of the arguments below.
targets=$*
set -f
for target in $targets; do
  case $target in
    *[!][A-Za-z0-9.:_-]*) fail 64 "not HOST:PORT: $target" ;;
    ?*:*[0-9]) ;;
    *) fail 64 "not HOST:PORT: $target" ;;
  esac
done
set +f
# A fact that cannot be read is left out; nothing stops the rest.
set +e
exec 2>/dev/null
PATH=$PATH:/opt/vc/bin
lines() { tr -d "\000" | grep -a "" | sed "s/^/$1 /"; }
file() { [ ! -f "$2" ] || lines "$1" <"$2"; }
hex() { [ ! -r "$1" ] || od -An -N4 -tx1 "$1" | tr -d " \n"; }
u32() { value=$(hex "$2"); [ -z "$value" ] || say "$1" "$(printf %d "0x$value")"; }
of_mounts() { sed -n "s|^\([^ ]*\) $1 .*|\1|p" /proc/mounts | tail -n 1; }

# Told in large pieces: a packet for each line would cost both ends more than all else.
{
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
  start=$(text "$part/start")
  [ -z "$start" ] || say boot.extent "$start $(text "$part/size")"
  if [ -f "/sys/class/block/$disk/size" ]; then
    say disk "$disk $(text "/sys/class/block/$disk/size")"
    set -- $(od -An -j440 -N4 -tx1 "/dev/$disk")
    [ $# -ne 4 ] || say disk.id "$4$3$2$1"
    [ "$(text "/sys/class/block/$disk/ro")" != 1 ] || say disk.read-only yes
  fi
fi
case ${disk-} in
  mmcblk*)
    # The host that the card is in has the card's number.
    errors="$disk: error|mmc${disk#mmcblk}: .*(timeout|error)|I/O error,? (on )?dev(ice)? $disk"
    if log=$(dmesg); then
      say card.errors "$(printf "%s\n" "$log" | grep -a -i -c -E "$errors")"
      printf "%s\n" "$log" | grep -a -i -E "$errors" | tail -n 3 | cut -c -200 | lines card.error
    fi
    ;;
esac
for path in /sys/fs/ext4/*/errors_count; do
  count=$(text "$path")
  path=${path%/*}
  [ "${count:-0}" = 0 ] || say ext4.errors "${path##*/} $count"
done
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

say hat "$(text $base/hat/product)"
for path in /sys/class/watchdog/watchdog*; do
  [ -r "$path/identity" ] || continue
  state=$(text "$path/state") seconds=$(text "$path/timeout")
  say watchdog "${path##*/} ${state:--} ${seconds:--} $(text "$path/identity")"
done
for path in /usr/lib/systemd/system.conf.d/*.conf /etc/systemd/system.conf /etc/systemd/system.conf.d/*.conf; do
  [ ! -f "$path" ] || sed -n "s/^[[:space:]]*RuntimeWatchdogSec[[:space:]]*=[[:space:]]*/watchdog.systemd /p" "$path"
done
say watchdog.daemon "$(cat /proc/[0-9]*/comm | grep -x -E "watchdog|wd_keepalive" | head -n 1)"
say clock "$(date +%s)"
say clock.synced "$(timeout 5 timedatectl | sed -n "s/.*synchronized: //p" | head -n 1)"

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

# These files may hold passwords. They are told as they are, and masked by who reads the answer.
number=0
for path in \
  /etc/wpa_supplicant/*.conf /etc/dhcpcd.conf /etc/network/interfaces /etc/network/interfaces.d/* \
  /etc/NetworkManager/system-connections/* /run/NetworkManager/system-connections/* \
  /etc/netplan/*.yaml /lib/netplan/*.yaml /etc/systemd/network/* /etc/systemd/timesyncd.conf \
  /etc/ppp/peers/* /etc/ppp/pap-secrets /etc/ppp/chap-secrets /etc/chatscripts/* /etc/wvdial.conf; do
  [ -f "$path" ] || continue
  number=$((number + 1))
  say net.file "$number $path"
  lines "net.line $number" <"$path"
done
managers="dhcpcd NetworkManager systemd-networkd networking wpa_supplicant ModemManager connman iwd"
# One line for each unit, in their order.
timeout 5 systemctl is-active $managers | {
  set -- $managers
  while read -r state; do
    [ "$state" != active ] || say net.active "$1"
    shift
  done
}
# With `duid`, dhcpcd sends RFC 4361's identifier: ff, the last four bytes of the Ethernet address, and its DUID.
identifier=$(grep -x -E "[[:space:]]*(duid|clientid)[[:space:]]*" /etc/dhcpcd.conf | tail -n 1 | tr -d "[:space:]")
if [ "$identifier" = duid ] && ! grep -q "^[[:space:]]*iaid" /etc/dhcpcd.conf; then
  duid=$(cat /var/lib/dhcpcd*/duid /etc/dhcpcd.duid | head -n 1 | tr -d ":[:space:]")
  for path in /sys/class/net/*; do
    [ -n "$duid" ] && [ -e "$path/device" ] || continue
    iaid=$(text "$path/address" | cut -d : -f 3- | tr -d :)
    [ -z "$iaid" ] || say net.client-id "${path##*/} ff$iaid$duid"
  done
fi
country=$(iw reg get | sed -n "s/^country \([A-Z][A-Z]\):.*/\1/p" | head -n 1)
say net.country "${country:-$(sed -n "s/.*cfg80211.ieee80211_regdom=\([A-Z][A-Z]\).*/\1/p" /proc/cmdline)}"

has() { command -v "$1" >/dev/null; }
# HOST PORT HOST:PORT: no proxy is asked, for balenaOS will know none.
connects() {
  if has timeout && has bash; then
    timeout 5 bash -c "exec 3<>/dev/tcp/\$0/\$1" "$1" "$2"
  elif has curl; then
    curl -s -m 5 --noproxy "*" -o /dev/null -w "%{time_connect}" "http://$3/" | grep -q "[1-9]"
  elif has python3; then
    python3 -c "import socket, sys; socket.create_connection((sys.argv[1], sys.argv[2]), 5)" "$1" "$2"
  elif has timeout && has wget; then
    # Whatever is answered shows that somebody is there; a program that breaks shows nothing.
    case $(timeout 5 wget -T 5 -O /dev/null "http://$3/" 2>&1 || echo "code $?") in
      *"code 12"[67]|*"code 13"?) return 127 ;;
      *"connect to remote"*|*"bad address"*|*resolve*|*refused*|*"timed out"*|*"code 4"|*"code 1"[24]?) return 1 ;;
    esac
  else
    return 127
  fi
}
reach() {
  host=${1%:*} port=${1##*:}
  host=${host#"["}
  connects "${host%"]"}" "$port" "$1"
  case $? in 0) say reach "$1 yes" ;; 12[67]) ;; *) say reach "$1 no" ;; esac
}
# People's own folders on the root file system, if they can be measured in time.
folders() {
  has timeout || return
  nice=
  ! has nice || nice="nice -n 19"
  disk=$(stat -c %d /)
  set --
  for path in /*; do
    case $path in /bin|/boot|/dev|/etc|/lib*|/lost+found|/proc|/run|/sbin|/sys|/tmp|/usr) continue ;; esac
    [ ! -d "$path" ] || [ -L "$path" ] || [ "$(stat -c %d "$path")" != "$disk" ] || set -- "$@" "$path"
  done
  [ $# -gt 0 ] && sizes=$(timeout 10 $nice du -x -k -d 2 "$@") || [ $? -eq 1 ] || return
  # Each line by itself: who reaches what is told at the same time.
  printf "%s\n" "$sizes" | sort -rn | head -n 100 |
    while read -r size path && [ "$size" -ge 977 ]; do say folder "$size $path"; done
}
set -f
for target in $targets; do reach "$target" & done
set +f
folders
wait
echo end ok
} | sed ""
