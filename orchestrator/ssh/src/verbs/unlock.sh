[ $# -eq 1 ] || fail 64 "unlock takes an owner"
owner "$1"
guarded
holder
if [ "$holder" = "$1" ]; then
  writable $lock
  run rm -f $lock
fi
