[ $# -eq 2 ] || fail 64 "lock takes an owner and seconds"
owner "$1"; number "$2"
folder_of $lock
guarded
holder
read -r boot </proc/sys/kernel/random/boot_id
read -r now rest </proc/uptime
now=${now%%.*}
case $until in ""|*[!0-9]*) until=0 ;; esac
# A Pi has no clock: the uptime counts, and only since the same boot.
if [ "$holder" != "$1" ] && [ "$booted" = "$boot" ] && [ "$until" -gt "$now" ]; then
  fail 75 "$holder has the device for $((until - now)) s more"
fi
new=$lock.new
store() { echo "$1 $boot $((now + $2))" >"$new"; }
run store "$@"
run mv -f "$new" $lock
