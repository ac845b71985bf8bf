"""The command line as `--help` tells it: what the tests of completions and man pages are held against."""

import re
import subprocess


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def help_of(program, path):
    """Verbs and options of one verb, a list of words; no words: of the program itself."""
    verbs, options, section = [], [], ""
    for line in run(program, *path, "--help").splitlines():
        if line and not line[0].isspace():
            section = line
        elif section == "Subcommands:" and (found := re.match(r"  ([a-z]\S*)", line)):
            verbs.append(found[1])
        elif section.endswith("Options:") and (found := re.match(r"  (-\S+)", line)):
            options += found[1].rstrip(",").split(",")
    return verbs, options


def tree(program, path=()):
    """[(path, verbs, options)] of the program and of every verb below it."""
    verbs, options = help_of(program, path)
    found = [(path, verbs, options)]
    for verb in verbs:
        found += tree(program, (*path, verb))
    return found
