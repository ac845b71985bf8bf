#!/usr/bin/env bash
# Debian's own checks find no error and no warning in the .deb. usage: lintian.sh DEB
set -euo pipefail
. "$(dirname "$0")/common.sh"
command -v lintian >/dev/null || skip 'lintian is not installed'
scratch
# It looks at a package by its proper name, and not as root.
chmod 755 "$work"
name=$(dpkg-deb -f "$1" Package)_$(dpkg-deb -f "$1" Version)_$(dpkg-deb -f "$1" Architecture).deb
install -m 644 "$1" "$work/$name"
cd "$work"
user=()
if ((EUID == 0)); then user=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$work"); fi
"${user[@]}" lintian --fail-on error,warning "$name"
