listing() (
  cd "$1" || exit
  list=$(find . -xdev ! -name . -type d -exec stat -c "- %n" {} + -o -type f -exec stat -c "%s %n" {} +) || exit
  echo migos-tree 1
  printf "%s\n" "$list" | sort -k 2 | while IFS= read -r line; do
    path=${line#* ./}
    case $line in
      "") ;;
      "- ./"*) printf "%s\n" "- - $path/" ;;
      *" ./"*)
        sum=$(sha256sum <"$path") || exit 1
        printf "%s\n" "${line%% *} ${sum%% *} $path"
        ;;
      *) fail 1 "a name in $1 holds a line's end" ;;
    esac
  done || exit
  echo end ok
)
