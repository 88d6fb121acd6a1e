# Read before every other script here: Debian packages, unpacked into a folder without running any of them.

# The archives that this computer itself installs from. For other architectures they are the same.
debian_sources() {
  apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' 'Component: main' | sort -u
}

# usage: debian ARCHITECTURE PACKAGES FOLDER
debian() {
  debian_sources >"$3.list"
  # Mirrors of the security archive may lag behind with the list of an architecture that few install. Nothing here is exposed.
  [ "$1" != armhf ] || sed -i '/-security /d' "$3.list"
  [ -s "$3.list" ] || { echo "no Debian archive is known here: apt-get update" >&2; return 1; }
  mmdebstrap --quiet --mode=root --variant=extract --architectures="$1" --include="$2" \
    --aptopt='APT::Install-Recommends "false"' "" "$3" "$3.list"
  rm "$3.list"
}
