#!/usr/bin/env python3
"""Whatever --help names is completed: every verb and option, and the values that are files or a few words.

    completion.py bash|zsh IPTRACKD SCRIPT
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import cli

HERE = pathlib.Path(__file__).parent

ZSH_FOLDER = tempfile.TemporaryDirectory()

# As readline calls it: the words, and the number of the one in which the cursor is.
BASH = r"""
source "$1"; shift
COMP_WORDS=(iptrackd "$@") COMP_CWORD=$#
_iptrackd
printf '%s\n' "${COMPREPLY[@]}"
"""


def bash(script, words):
    command = ["bash", "--norc", "-c", BASH, "bash", script, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def zsh(script, words):
    # One folder for all calls: zsh keeps there what it found out about all of its completions.
    folder = ZSH_FOLDER.name
    shutil.copy(script, f"{folder}/_iptrackd")
    command = ["zsh", "-f", HERE / "completion.zsh", folder, " ".join(["iptrackd", *words])]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def expect(offered, wanted, words):
    missing = set(wanted) - set(offered)
    if missing:
        sys.exit(f"behind 'iptrackd {' '.join(words)}' missing: {sorted(missing)}; offered: {offered}")
    return len(wanted)


def main():
    shell, program, script = sys.argv[1:]
    if not shutil.which(shell):
        print(f"skipped: {shell} is not installed")
        sys.exit(77)
    complete = {"bash": bash, "zsh": zsh}[shell]
    count = 0
    for path, verbs, options in cli.tree(program):
        if verbs:
            count += expect(complete(script, [*path, ""]), verbs, path)
        # zsh offers either spelling of an option, by what is typed already.
        for dashes in ("-", "--"):
            wanted = [option for option in options if option.startswith("--") == (dashes == "--")]
            count += expect(complete(script, [*path, dashes]), wanted, [*path, dashes])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("some.yml").touch()
        count += expect(complete(script, ["check", "--config", "so"]), ["some.yml"], ["check", "--config"])
    kinds = ["accept", "bind", "close", "connect", "exec"]
    count += expect(complete(script, ["whitelist", "test", "--kind", ""]), kinds, ["whitelist", "test", "--kind"])
    if complete(script, ["check", "--kin"]):
        sys.exit("an option of one verb is offered behind another")
    if "completion" in complete(script, [""]):
        sys.exit("the hidden verb is offered")
    print(f"{shell}: {count} words completed")


main()
