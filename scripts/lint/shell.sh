#!/usr/bin/env bash
# Shell scripts, by shellcheck.
set -euo pipefail
. scripts/lint/common.sh

mapfile -t files < <(
  files_of 'scripts tests bench packaging .ci' sh
  find scripts tests bench packaging .ci -type f -not -name '*.*' -perm /111 2>/dev/null |
    while read -r file; do
      if head -n 1 "$file" | grep -qE '^#!.*[/ ](ba)?sh$'; then printf '%s\n' "$file"; fi
    done
)
((${#files[@]} > 0)) || exit 0
shellcheck --external-sources --source-path=SCRIPTDIR --format=gcc "${files[@]}"
