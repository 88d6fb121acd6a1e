[ $# -eq 5 ] || fail 64 "admit takes a name, a port, seconds and a key of two words"
guest "$1"; number "$2"; number "$3"
case $4 in ""|*[!a-z0-9@.-]*) fail 64 "not a key type: $4" ;; esac
case $5 in ""|*[!A-Za-z0-9+/=]*) fail 64 "not a key: $5" ;; esac
umask 077
run mkdir -p "${keys%/*}"
alone "$keys.guard"
# sshd reads the time in the zone of the machine.
unset TZ
ends=$(date -d "@$(($(date +%s) + $3))" +%Y%m%d%H%M%S) || fail 1 "date does not know the time of the end"
others "$1"
let_in() {
  # It may offer one port of the loopback address. No other place is named ".invalid" (RFC 2606), so it reaches none.
  printf "restrict,command=\"exit 1\",port-forwarding,permitopen=\"none.invalid:1\"" >>"$new"
  printf ",permitlisten=\"127.0.0.1:%s\",permitlisten=\"localhost:%s\"" "$2" "$2" >>"$new"
  printf ",expiry-time=\"%s\" %s %s %s\n" "$ends" "$4" "$5" "$1" >>"$new"
}
run let_in "$@"
settle
