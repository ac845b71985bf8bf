#!/usr/bin/env bash
# The SELinux module compiles, and each of its types is some file's or some domain's. usage: selinux.sh FOLDER MODULE
set -euo pipefail
. "$(dirname "$0")/common.sh"
makefile=/usr/share/selinux/devel/Makefile
[[ -e $makefile ]] || skip 'selinux-policy-dev is not installed'
scratch
cp "$1"/iptrackd.{te,fc,if} "$work"
cd "$work"
make -f "$makefile" iptrackd.pp >log 2>&1 || die "$(cat log)"

# Every file type of the policy is given to a file, and nothing is given that the policy does not know.
sed -n 's/^type \(iptrackd_[a-z_]*\);/\1/p' iptrackd.te | grep -vE '^iptrackd_(t|pam_t)$' | sort >declared
sed -n 's/.*object_r:\(iptrackd_[a-z_]*\),.*/\1/p' iptrackd.fc | sort -u >given
same declared given iptrackd.te iptrackd.fc
cp iptrackd.pp "$2"
echo "$(wc -l <declared) types of files"
