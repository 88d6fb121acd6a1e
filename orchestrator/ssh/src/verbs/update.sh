[ $# -eq 1 ] || fail 64 "update takes what is to be updated"
packages="raspberrypi-bootloader raspberrypi-kernel"
case $1 in
  card) after=: ;;
  eeprom) packages="rpi-eeprom $packages" after="rpi-eeprom-update -a" ;;
  *) fail 64 "no such firmware: $1" ;;
esac
# In memory: after a reboot it is done anew, which costs little where all is up to date.
state=/run/migos-update-$1
alive() { read -r pid <"$state/pid" && kill -0 "$pid"; } 2>/dev/null
if [ ! -e "$state/code" ] && ! alive; then
  run mkdir -p "$state"
  # A firmware that is half installed may not boot: it goes on when the connection is lost.
  setsid sh -c '
    echo $$ >"$1/pid"
    export DEBIAN_FRONTEND=noninteractive
    dpkg --configure -a && apt-get -q update &&
      apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install --only-upgrade $2 &&
      $3 && sync
    echo $? >"$1/code.new"
    mv "$1/code.new" "$1/code"
  ' migos-update "$state" "$packages" "$after" </dev/null >"$state/log" 2>&1 &
fi
# A look every moment at first; then the blanks tell whoever waits that it goes on.
looks=0
while [ ! -e "$state/code" ]; do
  if [ "$looks" -lt 20 ]; then
    sleep 0.1
  else
    alive || break
    echo
    sleep 3
  fi
  looks=$((looks + 1))
done
code=$(cat "$state/code" 2>/dev/null) || code=killed
[ "$code" != 0 ] || exit 0
said=$(grep -a -e "^E: " -e "^dpkg: error" "$state/log" | tail -n 1) || said=
rm -f "$state/code"
case $said in *"Could not get lock"*|*"Unable to acquire"*) fail 75 "packages are being installed" ;; esac
fail 1 "${said:-the update ended with $code: $(tail -n 1 "$state/log")}"
