[ $# -eq 3 ] || fail 64 "write takes a path, a mode and a size"
absolute "$1"; number "$3"
case $2 in ""|*[!0-7]*) fail 64 "not an octal mode: $2" ;; esac
not_a_folder "$1"
folder_of "$1"
new=$1.new
store() { cat >"$new"; }
run store
got=$(stat -c %s "$new")
[ "$got" -eq "$3" ] || fail 65 "$got of $3 bytes came"
# FAT has no modes, and says so.
chmod "$2" "$new" 2>/dev/null || :
run sync "$new"
run mv -f "$new" "$1"
sync
