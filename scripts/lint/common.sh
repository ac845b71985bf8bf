# shellcheck shell=bash
# What the checks of scripts/lint/ share; to be sourced in the root of the tree. A check prints FILE:LINE: what is
# wrong, and ends with 1 if it printed anything.

# Files of the tree with one of the endings $2..., below the folders of $1 (separated by spaces) that exist.
files_of() {
  local folders=() folder ending pattern=()
  for folder in $1; do
    if [[ -e $folder ]]; then folders+=("$folder"); fi
  done
  shift
  for ending in "$@"; do pattern+=(-o -name "*.$ending"); done
  if ((${#folders[@]} == 0)); then return 0; fi
  find "${folders[@]}" -type f \( "${pattern[@]:1}" \) -not -path '*/build/*' | LC_ALL=C sort
}

# shellcheck disable=SC2034 # used by those that source this file
code_folders='bpf include src tests bench'
