[ $# -eq 3 ] || fail 64 "receive takes a path, a size and a SHA-256"
absolute "$1"; number "$2"
not_a_folder "$1"
part=$1.part
# What is read next comes from the medium. Nothing else is forgotten: programs that run here need what they read.
forget() {
  run sync "$1"
  dd if="$1" iflag=nocache count=0 2>/dev/null || from_medium
}
# openssl is faster than sha256sum, but takes longer to begin.
digest() { { [ "$1" -ge 2000000 ] && openssl dgst -sha256 -r 2>/dev/null; } || sha256sum; }
if [ -f "$1" ] && [ "$(stat -L -c %s "$1")" -eq "$2" ]; then
  forget "$1"
  sum=$(digest "$2" <"$1")
  [ "${sum%% *}" != "$3" ] || { echo whole; exit; }
fi
have=0
[ ! -f "$part" ] || have=$(stat -c %s "$part")
if [ "$have" -eq 0 ]; then echo none
else
  forget "$part"
  # No more than this: what an earlier upload still writes is not looked at.
  sum=$(head -c "$have" "$part" | digest "$have")
  echo "part $have ${sum%% *}"
fi
read -r offset || fail 1 "nobody told where to go on"
number "$offset"
[ "$have" -ge "$offset" ] || fail 65 "$have bytes are there, not $offset"
folder_of "$1"
# Written by position and not appended: if the server still holds a tail of an upload that was cut off,
# those bytes land where they belong. dd moves the position that cat goes on from.
store() {
  if [ "$offset" -eq 0 ]; then cat >"$part"
  else { dd bs=1 count=0 seek="$offset" </dev/null 2>/dev/null; cat; } 1<>"$part"
  fi
}
[ "$offset" -eq 0 ] || run dd if=/dev/null of="$part" bs=1 seek="$offset"
run store
have=$(stat -c %s "$part")
[ "$have" -ge "$2" ] || fail 65 "$have of $2 bytes are there"
forget "$part"
sum=$(digest "$2" <"$part")
if [ "$have" -ne "$2" ] || [ "${sum%% *}" != "$3" ]; then
  rm -f "$part"
  fail 65 "$part has $have bytes with digest ${sum%% *}"
fi
run mv -f "$part" "$1"
sync
