[ $# -eq 2 ] || fail 64 "backup takes two folders"
absolute "$1"
removable "$2"
case $1/ in "$2"/*) fail 64 "$1 is in $2" ;; esac
case $2/ in "$1"/*) fail 64 "$2 is in $1" ;; esac
[ -d "$1" ] || fail 66 "there is no folder $1"
from_medium
original=$(listing "$1") || exit 1
copy=$(listing "$2" 2>/dev/null) || :
if [ "$copy" != "$original" ]; then
  folder_of "$2"
  new=$2.new
  run rm -rf "$new"
  run cp -Rp "$1/." "$new"
  from_medium
  copy=$(listing "$new") || exit 1
  [ "$copy" = "$original" ] || fail 65 "the copy in $new differs from $1"
  run rm -rf "$2"
  run mv "$new" "$2"
  sync
fi
printf "%s\n" "$original"
