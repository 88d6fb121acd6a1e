lock=/var/lib/migos/lock
owner() { case $1 in ""|*[!A-Za-z0-9-]*) fail 64 "not an owner: $1" ;; esac; }
# One at a time looks at the lock and changes it.
alone() {
  tries=0
  until ( set -C; echo $$ >/run/migos.guard ) 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 60 ] || fail 1 "/run/migos.guard cannot be made"
    if [ $tries -gt 50 ]; then
      kill -0 "$(cat /run/migos.guard)" 2>/dev/null && fail 75 "the lock is being changed"
      # Whoever made it was killed.
      rm -f /run/migos.guard
    fi
    sleep 0.1
  done
  guard=/run/migos.guard
}
holder() {
  holder= booted= until=
  [ ! -f $lock ] || read -r holder booted until <$lock || :
}
