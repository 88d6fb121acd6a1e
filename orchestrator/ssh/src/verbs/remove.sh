[ $# -ge 1 ] || fail 64 "remove takes paths"
for path; do removable "$path"; done
for path; do
  writable "$path"
  run rm -rf "$path" "$path.new" "$path.part"
done
sync
