[ $# -eq 1 ] || fail 64 "pack takes a folder"
absolute "$1"
[ -d "$1" ] || fail 66 "there is no folder $1"
tar -cf - -C "$1" . || exit 1
