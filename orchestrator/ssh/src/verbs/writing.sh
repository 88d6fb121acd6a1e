new= guard= thawed=
# The end of every verb that writes, also when its connection is lost.
leave() {
  code=$?
  trap - EXIT
  [ -z "$new" ] || rm -rf "$new" || :
  [ -z "$guard" ] || rm -f "$guard" || :
  for at in $thawed; do
    error=$(mount -o remount,ro "$at" 2>&1) || [ "$code" -ne 0 ] || fail 1 "$at stays writable: $error"
  done
  exit "$code"
}
trap leave EXIT
trap "exit 1" HUP INT PIPE TERM
# A block device that is mounted read-only, as raspi-config mounts the boot partition, is writable until the end.
writable() {
  at= how=
  while read -r source point rest options rest; do
    case $1/ in "${point%/}"/*) [ ${#point} -lt ${#at} ] || at=$point how=$source:$options ;; esac
  done </proc/mounts
  case $how in /dev/*:ro|/dev/*:ro,*) ;; *) return 0 ;; esac
  thawed="$thawed $at"
  error=$(mount -o remount,rw "$at" 2>&1) || fail 1 "$at cannot be made writable: $error"
}
folder_of() {
  writable "$1"
  case $1 in /var/lib/migos/*) umask 077 ;; *) umask 022 ;; esac
  [ -d "${1%/*}/" ] || run mkdir -p "${1%/*}/"
  umask 077
}
removable() {
  case $1 in
    *..*|*//*|*/|*/.|*/./*) fail 64 "will not remove $1" ;;
    /?*/?*) ;;
    *) fail 64 "will not remove $1" ;;
  esac
}
