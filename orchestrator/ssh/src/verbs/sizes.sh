[ $# -ge 1 ] || fail 64 "sizes takes paths"
for path in "$@"; do absolute "$path"; done
echo migos-sizes 1
for path in "$@"; do
  size=-
  if [ -e "$path" ]; then
    # What comes and goes meanwhile is no reason to say nothing.
    size=$(du -sk "$(readlink -f "$path")" 2>/dev/null) || [ -n "$size" ] || fail 1 "$path cannot be measured"
    size=${size%%[!0-9]*}
  fi
  printf "size %s %s\n" "$size" "$path"
done
echo end ok
