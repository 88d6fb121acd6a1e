[ $# -eq 1 ] || fail 64 "part takes a path"
absolute "$1"
if [ -f "$1" ]; then kind=whole file=$1
elif [ -f "$1.part" ]; then kind=part file=$1.part
else echo none; exit
fi
from_medium
# No more than this: what an earlier upload still writes is not looked at.
size=$(stat -L -c %s "$file")
sum=$(head -c "$size" "$file" | sha256sum)
printf "%s %s %s\n" "$kind" "$size" "${sum%% *}"
