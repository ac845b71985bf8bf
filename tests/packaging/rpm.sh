#!/usr/bin/env bash
# The RPM holds what `cmake --install` gives, in a scratch root too, and its scriptlets ask systemctl for what they should.
# usage: rpm.sh BUILD
set -euo pipefail
. "$(dirname "$0")/common.sh"
build=$1
command -v rpmbuild >/dev/null || skip 'rpmbuild is not installed'
((EUID == 0)) || skip 'needs root, for owners of files and a /run of its own'
if [[ ! ${RPM_ALONE:-} ]]; then exec env RPM_ALONE=yes unshare -m --propagation private "$0" "$@"; fi
scratch
mount -t tmpfs none /run
mkdir -p /run/systemd/system "$work"/{root,fakes}

rpmbuild -bb --quiet --define "_topdir $work" "$build/packaging/iptrackd.spec" >"$work/log" 2>&1 || die "$(cat "$work/log")"
rpm=$(echo "$work"/RPMS/*/iptrackd-*.rpm)

# Files; directories are other packages', but for those that stand in the spec.
installed_list "$build" configuration service | grep -v '/$' >"$work/installed"
rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]' "$rpm" | LC_ALL=C sort -k 3 >"$work/packed"
sed 's/ / root:root /' "$work/installed" >"$work/expected"
same "$work/expected" <(grep -v ^d "$work/packed") 'cmake --install' "${rpm##*/}"
grep -q ' /etc/iptrackd.d$' "$work/packed" || die '/etc/iptrackd.d is not in the RPM'
[[ $(rpm -qpc "$rpm") == $'/etc/iptrackd-maintain.yml\n/etc/iptrackd.yml' ]] || die "configuration: $(rpm -qpc "$rpm")"

rpm --root "$work/root" --dbpath /db -i --nodeps --noscripts "$rpm" 2>"$work/log" || die "$(cat "$work/log")"
list_tree "$work/root" | grep -v '/$\| /db/' >"$work/unpacked"
same "$work/installed" "$work/unpacked" 'cmake --install' 'the scratch root'

# What each scriptlet does, with its argument: how many of the package there will be.
for name in systemctl systemd-sysusers iptrackd; do
  printf '#!/bin/sh\necho "%s $*" >>%s/asked\n' "$name" "$work" >"$work/fakes/$name"
  chmod 755 "$work/fakes/$name"
done
scriptlet() { # TAG ARGUMENT EXPECTED...: the calls, as regular expressions, in their order; no more
  local tag=$1 argument=$2 expected actual
  shift 2
  : >"$work/asked"
  rpm -qp --qf "%{$tag}" "$rpm" >"$work/$tag"
  PATH=$work/fakes:$PATH sh -eu "$work/$tag" "$argument"
  for expected in "$@" end; do
    read -r actual || actual=end
    [[ $actual =~ ^$expected$ ]] || die "$tag $argument: '$actual' instead of '$expected'"
  done <"$work/asked"
}
scriptlet POSTIN 1 'systemd-sysusers iptrackd.conf' 'systemctl --no-reload preset .*iptrackd.service.*'
scriptlet POSTIN 2 'systemd-sysusers iptrackd.conf'
scriptlet PREUN 0 'systemctl --no-reload disable --now .*iptrackd.service.*' 'iptrackd probes --detach'
scriptlet PREUN 1
mkdir /run/iptrackd
scriptlet POSTUN 1 'systemctl daemon-reload' 'systemctl try-restart iptrackd.service'
[[ -e /run/iptrackd ]] || die 'an upgrade removes /run/iptrackd'
scriptlet POSTUN 0 'systemctl daemon-reload'
[[ ! -e /run/iptrackd ]] || die 'a removal leaves /run/iptrackd'
rm -r /run/systemd
scriptlet POSTIN 1 'systemd-sysusers iptrackd.conf'
scriptlet POSTUN 1
scriptlet PREUN 0 'iptrackd probes --detach'
echo "$(wc -l <"$work/packed") files and directories; scriptlets as they should be"
