[ $# -ge 1 ] || fail 64 "sums takes paths"
for path; do absolute "$path"; done
from_medium
for path; do
  sum=-
  [ ! -f "$path" ] || sum=$(sha256sum <"$path")
  printf "%s %s\n" "${sum%% *}" "$path"
done
