# One at a time holds this guard.
alone() {
  tries=0
  until ( set -C; echo $$ >"$1" ) 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 60 ] || fail 1 "$1 cannot be made"
    if [ $tries -gt 50 ]; then
      kill -0 "$(cat "$1")" 2>/dev/null && fail 75 "somebody else holds $1"
      # Whoever made it was killed.
      rm -f "$1"
    fi
    sleep 0.1
  done
  guard=$1
}
