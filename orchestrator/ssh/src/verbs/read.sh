[ $# -eq 2 ] || fail 64 "read takes a path and a limit"
absolute "$1"; number "$2"
[ -f "$1" ] || fail 66 "there is no $1"
size=$(stat -L -c %s "$1")
[ "$size" -le "$2" ] || fail 65 "$1 has $size bytes, more than $2"
cat "$1"
