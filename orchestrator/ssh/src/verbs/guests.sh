keys=${HOME:?}/.ssh/authorized_keys
guest() { case $1 in ""|*[!A-Za-z0-9./_-]*) fail 64 "not a guest: $1" ;; esac; }
# The file without this guest, beside the file itself: whoever logs in meanwhile finds one or the other, whole.
others() {
  [ ! -L "$keys" ] || fail 1 "$keys is a link: name the file that it leads to"
  not_a_folder "$keys"
  new=$keys.migos
  copy() { if [ -f "$keys" ]; then cp -p "$keys" "$new"; else : >"$new"; fi; }
  run copy
  [ -f "$keys" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *" $1") ;; *) printf "%s\n" "$line" ;; esac
  done <"$keys" >"$new"
}
settle() {
  run sync "$new"
  run mv -f "$new" "$keys"
  run sync
}
