[ $# -ge 1 ] || fail 64 "remove takes paths"
for path; do
  case $path in
    *..*|*//*|*/|*/.|*/./*) fail 64 "will not remove $path" ;;
    /?*/?*) ;;
    *) fail 64 "will not remove $path" ;;
  esac
done
for path; do run rm -rf "$path" "$path.new" "$path.part"; done
sync
