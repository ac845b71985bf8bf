#!/usr/bin/env bash
# The .deb holds what `cmake --install` gives, all of it root's and with the same modes; it depends on the packages of the
# libraries that its programs are linked with. usage: deb-files.sh BUILD SOURCE DEB
set -euo pipefail
. "$(dirname "$0")/common.sh"
build=$1 source=$2 deb=$3
scratch

dpkg-deb -c "$deb" | awk '$6 != "./" { print $1, $2, substr($6, 2) }' | LC_ALL=C sort -k 3 >"$work/packed"
installed_list "$build" configuration service debian | sed 's/ / root\/root /' >"$work/installed"
same "$work/installed" "$work/packed" 'cmake --install' "${deb##*/}"

# What there must be, whatever the install rules say.
for file in "$source"/packaging/*.{service,socket,timer}* "$source"/packaging/man/*.in "$source"/packaging/profiles/*; do
  [[ -e $file ]] || continue
  name=${file##*/}
  grep -q "/${name%.in}\(\.gz\)\?$" "$work/packed" || die "$name is not in the package"
done
for name in /usr/sbin/iptrackd /usr/libexec/iptrackd-pam-callback /etc/iptrackd.yml /etc/iptrackd-maintain.yml /etc/iptrackd.d/ /lib/sysusers.d/iptrackd.conf; do
  grep -q " $name$" "$work/packed" || die "$name is not in the package"
done
[[ $(dpkg-deb -I "$deb" conffiles) == $'/etc/iptrackd.yml\n/etc/iptrackd-maintain.yml' ]] || die 'the configuration is no conffile'

depends=" $(dpkg-deb -f "$deb" Depends | tr , ' ') "
for library in $(objdump -p "$build/iptrackd" | awk '$1 == "NEEDED" { print $2 }'); do
  # Its folder as the loader finds it, which dpkg may know below / or /usr.
  folder=$(ldd "$build/iptrackd" | awk -v name="$library" '$1 == name { print $3 }' | xargs dirname)
  package=$(dpkg -S "*/${folder##*/}/$library" | sed -n 's/:.*//p' | sort -u | head -n 1)
  found=no
  for name in "$package" $(dpkg-query -W -f '${Provides}' "$package" | tr -d ,); do
    if [[ $depends == *" $name "* ]]; then found=yes; fi
  done
  [[ $found == yes ]] || die "$library is $package's, on which it does not depend:$depends"
done
echo "$(wc -l <"$work/packed") files and directories"
