[ $# -eq 3 ] || fail 64 "receive takes a path, an offset and a size"
absolute "$1"; number "$2"; number "$3"
folder_of "$1"
part=$1.part
have=0
[ ! -f "$part" ] || have=$(stat -c %s "$part")
[ "$have" -ge "$2" ] || fail 65 "$have bytes are there, not $2"
run dd if=/dev/null of="$part" bs=1 seek="$2"
# Written by position and not appended: if the server still holds a tail of an upload that was cut off,
# those bytes land where they belong. dd moves the position that cat goes on from.
store() { { dd bs=1 count=0 seek="$offset" </dev/null 2>/dev/null; cat; } 1<>"$part"; }
offset=$2
run store
got=$(stat -c %s "$part")
[ "$got" -eq "$3" ] || fail 65 "$got of $3 bytes are there"
