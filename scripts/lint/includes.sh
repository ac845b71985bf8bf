#!/usr/bin/env bash
# Direction of the includes: include <- core <- {loader, pam, spool, sink, config, confine, control} <- app. Siblings never
# include each other, and a C library's header stands in one room only.
set -euo pipefail
. scripts/lint/common.sh

mapfile -t files < <(files_of 'bpf include src' c h cpp)
((${#files[@]} > 0)) || exit 0

awk '
  function report(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
  function only_in(owner, what) { if (room != owner) report(what " belongs to src/" owner) }
  BEGIN { split("core loader pam spool sink config confine control app", names, " "); for (i in names) rooms[names[i]] = 1 }
  FNR == 1 { split(FILENAME, path, "/"); room = path[1] == "src" ? path[2] : path[1] }
  !/^[ \t]*#[ \t]*include[ \t]*["<]/ { next }
  {
    quoted = /^[^"<]*"/
    name = $0; sub(/^[^"<]*["<]/, "", name); sub(/[">].*/, "", name)
    target = name; sub(/\/.*/, "", target)

    if (name ~ /(^|\/)\.\.?\//) report("\"" name "\": a name relative to src/ is wanted, not . or ..")
    else if (name ~ /^bpf\// || name ~ /\.skel\.h$/) { if (room != "bpf") only_in("loader", "<" name ">, libbpf,") }
    else if (name ~ /^(postgresql\/)?(libpq|pg_config|postgres_ext)/) only_in("sink", "<" name ">, libpq,")
    else if (target == "yaml-cpp") only_in("config", "<" name ">, yaml-cpp,")
    else if (name ~ /^(cap-ng|seccomp)\.h$/) only_in("confine", "<" name ">, privileges,")
    else if (target == "spdlog") only_in("app", "<" name ">, logging,")
    else if (target == "CLI") only_in("app", "<" name ">, the command line,")
    else if (target in rooms && name ~ /\//) {
      if (room == "include" || room == "bpf") report(room "/ must not include \"" name "\": it includes only iptrackd/")
      else if (room == "core" && target != "core") report("core must not include \"" name "\": only core/ and iptrackd/")
      else if (room != "app" && target != room && target != "core")
        report(room " must not include \"" name "\": siblings meet in app only")
    }
    else if (quoted && path[1] == "src" && name !~ /\//) report("\"" name "\": write it as room/file.h")
  }
  END { exit bad }
' "${files[@]}"
