[ $# -eq 1 ] || fail 64 "reboot takes a tier"
case $1 in
  orderly|forced) ;;
  sysrq) [ -e /proc/sysrq-trigger ] || fail 1 "the kernel has no sysrq" ;;
  *) fail 64 "no such tier: $1" ;;
esac
run rm -f /run/systemd/reboot-param
# What comes after the session: nothing is loaded from the card that is not needed.
trap "" HUP
case $1 in
  orderly) run systemctl reboot ;;
  forced) ( sleep 1; reboot -f ) </dev/null >/dev/null 2>&1 & ;;
  # Each key only starts something that takes a while.
  sysrq) ( sleep 1; for key in s u b; do echo $key >>/proc/sysrq-trigger; sleep 2; done ) </dev/null >/dev/null 2>&1 & ;;
esac
