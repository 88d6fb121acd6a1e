[ $# -eq 1 ] || fail 64 "tree takes a folder"
absolute "$1"
[ -d "$1" ] || fail 66 "there is no folder $1"
from_medium
listing "$1" || exit 1
