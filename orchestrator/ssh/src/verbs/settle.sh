[ $# -eq 3 ] || fail 64 "settle takes a path, a size and a SHA-256"
absolute "$1"; number "$2"
part=$1.part
[ -f "$part" ] || fail 66 "there is no $part"
not_a_folder "$1"
writable "$1"
run sync "$part"
from_medium
size=$(stat -c %s "$part")
sum=$(sha256sum <"$part")
if [ "$size" -ne "$2" ] || [ "${sum%% *}" != "$3" ]; then
  rm -f "$part"
  fail 65 "$part has $size bytes with digest ${sum%% *}"
fi
run mv -f "$part" "$1"
sync
