[ $# -eq 5 ] || fail 64 "run takes a key, seconds, a device, a run and a command"
number "$2"
all=/run/migos-run
case $1 in
  *[!A-Za-z0-9.-]*) fail 64 "not a key: $1" ;;
  ?*.do) other=$all/${1%.do}.undo ;;
  ?*.undo) other=$all/${1%.undo}.do ;;
  *) fail 64 "not a key: $1" ;;
esac
# In memory: after a reboot it is done anew.
state=$all/$1
alive() { read -r pid <"$1/pid" && kill -0 "$pid"; } 2>/dev/null
# What it takes back ends first, and may be done anew afterwards.
if alive "$other"; then
  kill "$pid" 2>/dev/null || :
  tries=0
  while alive "$other"; do
    tries=$((tries + 1))
    [ $tries -le 50 ] || kill -9 "$pid" 2>/dev/null || :
    [ $tries -le 100 ] || fail 75 "what is taken back does not end"
    sleep 0.1
  done
fi
rm -rf "$other"
if [ ! -e "$state/code" ] && ! alive "$state"; then
  ( umask 077; run mkdir -p "$state" ) || exit
  setsid sh -c '
    export MIGOS_DEVICE="$3" MIGOS_RUN="$4"
    timeout "$2" sh -c "$5" &
    echo $! >"$1/pid"
    code=0
    wait $! || code=$?
    echo $code >"$1/code.new"
    mv "$1/code.new" "$1/code"
  ' migos-run "$state" "$2" "$3" "$4" "$5" </dev/null >"$state/log" 2>&1 &
fi
# A look every moment at first; then the blanks tell whoever waits that it goes on.
looks=0
while [ ! -e "$state/code" ]; do
  if [ "$looks" -lt 20 ]; then
    sleep 0.1
  else
    # Between its end and its code is a moment.
    alive "$state" || { sleep 1; break; }
    echo
    sleep 3
  fi
  looks=$((looks + 1))
done
code=$(cat "$state/code" 2>/dev/null) || code=-
printf "code %s\n" "$code"
tail -n 20 "$state/log" | tail -c 4000
# Who failed may be tried again.
[ "$code" = 0 ] || rm -rf "$state"
