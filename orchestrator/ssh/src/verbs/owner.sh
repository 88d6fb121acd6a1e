lock=/var/lib/migos/lock
owner() { case $1 in ""|*[!A-Za-z0-9-]*) fail 64 "not an owner: $1" ;; esac; }
# One at a time looks at the lock and changes it.
guarded() { alone /run/migos.guard; }
holder() {
  holder= booted= until=
  [ ! -f $lock ] || read -r holder booted until <$lock || :
}
