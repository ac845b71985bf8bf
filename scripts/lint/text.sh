#!/usr/bin/env bash
# What can be seen without understanding the language: files too long to be one room, unfinished marks, white space
# at the end of a line, a missing last newline.
set -euo pipefail
. scripts/lint/common.sh

longest=400
mapfile -t files < <(files_of "$code_folders cmake config docs packaging scripts CMakeLists.txt README.md CONTRIBUTING.md" \
  c h cpp sh py sql cmake txt yml md service in)
((${#files[@]} > 0)) || exit 0

# The marks are put together here so that this file does not hold them.
awk -v longest="$longest" -v marks='(^|[^[:alnum:]_])(TO''DO|FIX''ME|XX''X)([^[:alnum:]_]|$)' '
  function report(line, text) { printf "%s:%d: %s\n", FILENAME, line, text; bad = 1 }
  function close_file() {
    if (length_of > longest && name !~ /\.md$/) {
      printf "%s:%d: %d lines; more than %d is more than one room\n", name, length_of, length_of, longest
      bad = 1
    }
  }
  FNR == 1 { close_file(); name = FILENAME }
  { length_of = FNR }
  $0 ~ marks { report(FNR, "an unfinished mark") }
  /[ \t\r]$/ { report(FNR, "white space at the end of the line") }
  END { close_file(); exit bad }
' "${files[@]}" && status=0 || status=1

for file in "${files[@]}"; do
  if [[ -s $file && $(tail -c 1 "$file" | wc -l) -eq 0 ]]; then
    printf '%s:%d: no newline at the end of the file\n' "$file" "$(($(wc -l <"$file") + 1))"
    status=1
  fi
done
exit "$status"
