[ $# -eq 0 ] || fail 64 "identity takes nothing"
echo migos-identity 1
board
boot_sums
echo end ok
