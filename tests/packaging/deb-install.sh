#!/usr/bin/env bash
# Installation, upgrade, removal and purge of the .deb, by this machine's dpkg in a copy of this machine that ends with the
# test: an overlay on its file system, with /run, /proc and a bpf file system of its own. systemctl is a recorder there.
# usage: deb-install.sh DEB
set -euo pipefail
. "$(dirname "$0")/common.sh"

((EUID == 0)) || skip 'needs root, for a copy of this machine'
if [[ ! ${INSTALL_ALONE:-} ]]; then exec env INSTALL_ALONE=yes unshare -m --propagation private "$0" "$@"; fi
scratch
mount -t tmpfs none "$work"
trap 'umount -R -l "$work"; rmdir "$work"' EXIT
root=$work/root
mkdir "$work"/{upper,work,root}
mount -t overlay none -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$root" 2>"$work/refused" ||
  skip "no overlay file system: $(cat "$work/refused")"
mount -t tmpfs none "$root/run"
mount -t proc none "$root/proc"
mount --rbind /sys "$root/sys"
mount -t bpf none "$root/sys/fs/bpf"
mount --bind /dev "$root/dev"
rm -f "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/run/systemd/system"

# Remembers what was asked, and which units it would have at work.
cat >"$root/usr/local/sbin/systemctl" <<'FAKE'
#!/bin/sh
echo "$*" >>/run/asked
# What is asked of files only, the real one does.
case $1 in --root=*) exec /usr/bin/systemctl "$@" ;; esac
verb='' units=''
for word; do
  case $word in -*) ;; *) if [ "$verb" ]; then units="$units $word"; else verb=$word; fi ;; esac
done
for unit in $units; do
  case $verb in
    start | restart) touch "/run/works.$unit" ;;
    stop) rm -f "/run/works.$unit" ;;
    is-active) [ -e "/run/works.$unit" ] || exit 3 ;;
    is-enabled) ls /etc/systemd/system/*.wants/"$unit" >/dev/null 2>&1 || exit 1 && echo enabled ;;
  esac
done
FAKE
chmod 755 "$root/usr/local/sbin/systemctl"

inside=(chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8)

# run COMMAND...: it must succeed; what it printed is in $work/out, what systemctl was asked in $work/asked.
run() {
  : >"$root/run/asked"
  "${inside[@]}" "$@" >"$work/out" 2>&1 || die "$*: $(cat "$work/out")"
  cp "$root/run/asked" "$work/asked"
}

told() { grep -qF -- "$1" "$work/out" || die "$2: it does not say '$1': $(cat "$work/out")"; }
asked() { grep -qxE -- "$1" "$work/asked" || die "$2: systemctl was not asked '$1': $(cat "$work/asked")"; }
not_asked() { if grep -E -- "$1" "$work/asked"; then die "$2: systemctl was asked '$1'"; fi; }
there() { [[ -e $root$1 || -L $root$1 ]] || die "$2: $1 is missing"; }
gone() { [[ ! -e $root$1 && ! -L $root$1 ]] || die "$2: $1 is still there: $(ls -la "$root$1")"; }

# Whatever the copy has and this machine has not, but for dpkg's own books.
left_over() {
  (cd "$work/upper" && find . -mindepth 1 \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache -o -path ./tmp \) -prune -o -print) |
    while read -r path; do
      if [[ -e $root/$path && ! -e /$path && $path != ./usr/local/sbin/systemctl ]]; then printf '%s\n' "${path#.}"; fi
    done
  find "$root/run" "$root/sys/fs/bpf" -name '*iptrackd*' 2>/dev/null | sed "s|^$root||"
}
nothing_left() {
  local files
  files=$(left_over)
  [[ ! $files ]] || die "$1 left: $files"
}

deb=/run/package.deb
cp "$1" "$root$deb"
nothing_left 'what was before it'

# Where no database is, it is installed all the same, and says what is next; nothing is started.
first='first installation'
run dpkg -i "$deb"
told 'iptrackd schema apply' "$first"
told 'FAIL  database' "$first"
not_asked 'start' "$first"
gone /etc/systemd/system/multi-user.target.wants/iptrackd.service "$first"
run dpkg -P iptrackd
nothing_left 'a purge after the first installation'

# In an image there is no systemd to ask.
mv "$root/run/systemd" "$root/run/no-systemd"
run dpkg -i "$deb"
not_asked . 'in an image'
told 'systemctl enable --now' 'in an image'
run dpkg -P iptrackd
nothing_left 'a purge of an image'
mv "$root/run/no-systemd" "$root/run/systemd"

# Where it can work, it does.
mkdir "$root/etc/iptrackd.d"
echo 'database: {driver-name: jsonl, filename: /run/rows.jsonl}' >"$root/etc/iptrackd.d/site.yml"
ready='installation where it can work'
run dpkg -i "$deb"
if ! grep -q '^--quiet --system start .*iptrackd.service' "$work/asked"; then
  if grep -q 'FAIL  kernel' "$work/out"; then skip "this kernel does not load the programs: $(grep FAIL "$work/out")"; fi
  die "$ready: $(cat "$work/out" "$work/asked")"
fi
there /etc/systemd/system/multi-user.target.wants/iptrackd.service "$ready"
there /run/works.iptrackd.service "$ready"

# A daemon that has run leaves its programs in the kernel; an upgrade leaves them there, and so the records.
"${inside[@]}" iptrackd run >"$root/run/daemon.log" 2>&1 &
daemon=$!
for ((i = 0; i < 300; ++i)); do
  if grep -q 'ready:' "$root/run/daemon.log"; then break; fi
  sleep 0.1
done
kill "$daemon"
wait "$daemon" || die "$(cat "$root/run/daemon.log")"
there /sys/fs/bpf/iptrackd 'a daemon that ended'
there /var/lib/iptrackd/spool 'a daemon that ended'
pins() { (cd "$root/sys/fs/bpf/iptrackd" && find . | sort); }
pins >"$work/pins"
echo '# of this site' >>"$root/etc/iptrackd.yml"
upgrade='upgrade'
run dpkg -i "$deb"
asked '--quiet --system restart iptrackd.service' "$upgrade"
not_asked 'stop|restart.*socket' "$upgrade"
diff "$work/pins" <(pins) || die "$upgrade: the pins differ"
grep -q 'of this site' "$root/etc/iptrackd.yml" || die "$upgrade: the configuration is not the site's any more"

# A removal takes the programs out of the kernel and keeps configuration and spool.
removal='removal'
echo 'session optional pam_exec.so quiet /usr/libexec/iptrackd-pam-callback' >>"$root/etc/pam.d/sshd"
run dpkg -r iptrackd
asked 'stop .*iptrackd.service.*' "$removal"
told 'nothing is recorded on this host any more' "$removal"
told '/etc/pam.d/sshd still names' "$removal"
gone /sys/fs/bpf/iptrackd "$removal"
gone /usr/sbin/iptrackd "$removal"
there /etc/iptrackd.yml "$removal"
there /var/lib/iptrackd/spool "$removal"

run dpkg -P iptrackd
nothing_left 'a purge'
echo 'installed, upgraded, removed and purged'
