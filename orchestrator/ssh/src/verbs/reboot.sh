[ $# -eq 0 ] || fail 64 "reboot takes nothing"
run rm -f /run/systemd/reboot-param
run systemctl reboot
