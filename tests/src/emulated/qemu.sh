# QEMU for ARM, with all libraries it needs, apart from what is installed: its package and those of newer QEMU
# tools exclude each other.
# usage: qemu.sh FOLDER
debian "$(dpkg --print-architecture)" qemu-system-arm "$1"

# Programs find their libraries by the loader they are started with.
cat >"$1/run" <<'END'
#!/bin/sh
here=${0%/run}
libraries=
for folder in "$here"/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu/*; do
  [ ! -d "$folder" ] || libraries=$libraries:$folder
done
for loader in "$here"/lib64/ld-linux-*.so.* "$here"/lib/ld-linux-*.so.*; do
  [ -e "$loader" ] || continue
  exec "$loader" --library-path "${libraries#:}" "$here/usr/bin/qemu-system-aarch64" -L "$here/usr/share/qemu" "$@"
done
echo "no loader in $here" >&2
exit 1
END
chmod 755 "$1/run"
