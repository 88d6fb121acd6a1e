[ $# -eq 0 ] || fail 64 "arm takes nothing"
[ ! -e /run/systemd/shutdown/scheduled ] || fail 75 "a shutdown is scheduled"
for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
  [ -e "$lock" ] || continue
  device=$(stat -c %d "$lock")
  # As /proc/locks names files; the device number is laid out as in makedev(3).
  id=$(printf "%02x:%02x:%s" $((device >> 8 & 0xfff)) $((device & 0xff | device >> 12 & 0xfff00)) "$(stat -c %i "$lock")")
  ! grep -q " $id " /proc/locks || fail 75 "packages are being installed: $lock is held"
done
param=/run/systemd/reboot-param
# The only way to hand over the flag that all releases of systemd understand.
store() { echo "0 tryboot" >"$param"; }
run store
error=$(systemctl reboot 2>&1) || { rm -f "$param"; fail 1 "${error:-systemctl reboot failed}"; }
