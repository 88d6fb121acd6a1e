[ $# -ge 1 ] || fail 64 "save takes a path and patterns"
absolute "$1"
[ -e "$1" ] || fail 66 "there is no $1"
path=$(readlink -f "$1")
[ "$path" != / ] || fail 64 "will not save all of the device"
shift
if [ $# -gt 0 ]; then
  case $(tar --version 2>/dev/null) in *GNU*) ;; *) fail 1 "its tar cannot leave out names" ;; esac
fi
for pattern in "$@"; do
  shift
  set -- "$@" "--exclude=$pattern"
done
gentle=
! command -v nice >/dev/null || gentle="nice -n 19"
# The archive goes to standard output and, by a pipe of its own in memory, to the digest.
pipe=/run/migos-save.$$
trap "rm -f $pipe" EXIT
trap "exit 1" HUP INT PIPE TERM
umask 077
run mkfifo "$pipe"
exec 3>&1
ended=$(
  sha256sum <"$pipe" &
  {
    {
      code=0
      $gentle tar -cf - "$@" -C "${path%/*}/" "./${path##*/}" || code=$?
      echo "$code" >&5
    } | $gentle gzip -1 | tee "$pipe" >&3
  } 5>&1
  wait
)
sum=${ended#*
}
case ${ended%%[!0-9]*} in
  0) how=whole ;;
  1)
    # So GNU tar says that a file changed while it was read; other programs mean worse by it.
    case $(tar --version 2>/dev/null) in *GNU*) ;; *) fail 1 "tar could not read all of $path" ;; esac
    how=changed
    ;;
  *) fail 1 "tar could not read all of $path" ;;
esac
printf "saved %s %s\n" "${sum%% *}" "$how" >&2
