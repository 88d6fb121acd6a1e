base=/sys/firmware/devicetree/base
say() { [ -z "$2" ] || printf "%s %s\n" "$1" "$2"; }
text() { [ ! -r "$1" ] || tr -d "\000" <"$1" | head -n 1; }
serial=$(text $base/serial-number)
[ -n "$serial" ] || serial=$(sed -n "s/^Serial[[:space:]]*: //p" /proc/cpuinfo) || :
boot=
for path in /boot/firmware /boot; do
  if [ -z "$boot" ] && grep -q " $path " /proc/mounts; then boot=$path; fi
done
board() {
  say serial "$serial"
  say machine-id "$(text /etc/machine-id)"
  say boot-id "$(text /proc/sys/kernel/random/boot_id)"
}
boot_sums() {
  for name in config.txt cmdline.txt; do
    if [ -n "$boot" ] && [ -f "$boot/$name" ]; then
      sum=$(sha256sum <"$boot/$name")
      say boot.sum "${sum%% *} $name"
    fi
  done
}
