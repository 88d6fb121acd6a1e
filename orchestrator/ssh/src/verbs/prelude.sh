set -eu
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fail() { code=$1; shift; printf "%s\n" "$*" | head -n 1 >&2; exit "$code"; }
run() {
  error=$("$@" 2>&1) && return
  case $error in
    *"No space left on device"*) fail 73 "$error" ;;
    *) fail 1 "${error:-$1 failed}" ;;
  esac
}
absolute() { case $1 in /*) ;; *) fail 64 "not an absolute path: $1" ;; esac; }
number() { case $1 in ""|*[!0-9]*) fail 64 "not a number: $1" ;; esac; }
not_a_folder() { [ ! -d "$1" ] || fail 1 "$1 is a folder"; }
from_medium() { sync; { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || :; }
