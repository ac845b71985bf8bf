# shellcheck shell=bash
# What the tests of packages share, to be sourced.

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Exit code 77: this machine cannot run it.
skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

# A directory that goes away with the test.
scratch() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
}

# Everything that the build tree $1 installs, and the components $2..., as "MODE PATH", sorted; directories end with /.
installed_list() {
  local build=$1 root component
  shift
  root=$(mktemp -d)
  (
    umask 022
    DESTDIR=$root cmake --install "$build" >/dev/null
    for component in "$@"; do DESTDIR=$root cmake --install "$build" --component "$component" >/dev/null; done
  )
  list_tree "$root"
  rm -rf "$root"
}

list_tree() {
  find "$1" -mindepth 1 \( -type d -printf '%M /%P/\n' -o -printf '%M /%P\n' \) | LC_ALL=C sort -k 2
}

# Fails with the difference of the two lists.
same() {
  diff -U 0 --label "$3" --label "$4" "$1" "$2" || die "they differ"
}
