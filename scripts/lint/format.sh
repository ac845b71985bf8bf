#!/usr/bin/env bash
# Formatting, by .clang-format. The first place of each file is enough: one clang-format -i mends the file.
set -euo pipefail
. scripts/lint/common.sh

mapfile -t files < <(files_of "$code_folders" c h cpp)
((${#files[@]} > 0)) || exit 0

clang-format --dry-run -Werror "${files[@]}" 2>&1 | awk -F: '
  /^[^ ]*:[0-9]+:[0-9]+: error:/ {
    if (!($1 in seen)) printf "%s:%d: not as .clang-format has it; clang-format -i %s mends it\n", $1, $2, $1
    seen[$1] = 1
    bad = 1
  }
  END { exit bad }
'
