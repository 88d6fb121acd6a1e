[ $# -eq 1 ] || fail 64 "dismiss takes a name"
guest "$1"
[ -f "$keys" ] || exit 0
umask 077
alone "$keys.guard"
others "$1"
settle
