#!/usr/bin/env python3
"""The man pages are in good form, and name what there is: every verb and option, every exit code, every key.

    manuals.py IPTRACKD CALLBACK CONFIGURATION PAGE.gz...
"""

import gzip
import pathlib
import re
import subprocess
import sys
import tempfile

import cli

complaints = []


def check(good, complaint):
    if not good:
        complaints.append(complaint)


def rendered(page):
    text = subprocess.run(["mandoc", "-T", "utf8", page], capture_output=True, text=True, check=True).stdout
    return re.sub(".\b", "", text).replace("\N{MINUS SIGN}", "-").replace("\N{HYPHEN}", "-")


def check_form(page):
    """As Debian's own checks look at it, and as mandoc does."""
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
    check(lint.returncode == 0, lint.stdout)
    man = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page]
    groff = subprocess.run(man, capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"})
    check(not groff.stderr, groff.stderr)


def check_verbs(program, page):
    words = " ".join(page.split())
    for path, _, options in cli.tree(program):
        verb = " ".join(path)
        check(re.search(rf"\b{verb}\b", words), f"iptrackd.8: the verb `{verb}` is missing")
        for option in options:
            check(re.search(rf"(?<![\w-]){option}\b", words), f"iptrackd.8: `{verb} {option}` is missing")


def check_callback(program, page):
    help_text = cli.run(program, "--help")
    for option in re.findall(r"^  (-\w), (--\w+)", help_text, re.MULTILINE):
        for spelling in option:
            check(re.search(rf"(?<![\w-]){spelling}\b", page), f"iptrackd-pam-callback.8: {spelling} is missing")
    for code in re.findall(r"^ +(\d+)  ", help_text, re.MULTILINE):
        check(re.search(rf"^ +{code} ", page, re.MULTILINE), f"iptrackd-pam-callback.8: exit code {code} is missing")


def check_keys(configuration, page, source):
    keys = set(re.findall(r"^[ #-]*([a-z][a-z0-9_-]*):(?:\s|$)", configuration, re.MULTILINE))
    check(len(keys) > 50, f"only {len(keys)} keys were found in the configuration")
    for key in sorted(keys):
        check(re.search(rf"(?<![\w-]){key}(?![\w-])", page), f"iptrackd.yml.5: the key {key} is missing")
    for line in re.findall(r"^(?:\.It )?\.?Sy (.*)$", source, re.MULTILINE):
        for word in re.findall(r"[a-z][a-z0-9_-]+", re.sub(r" N[os] .*", "", line)):
            check(word in keys, f"iptrackd.yml.5: there is no key {word}")


def main():
    program, callback, configuration, *pages = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        pages = {pathlib.Path(page).name.removesuffix(".gz"): gzip.open(page, "rt").read() for page in pages}
        texts = {}
        for name, source in pages.items():
            path = pathlib.Path(folder, name)
            path.write_text(source)
            check_form(path)
            texts[name] = rendered(path)
    check_verbs(program, texts["iptrackd.8"])
    check_callback(callback, texts["iptrackd-pam-callback.8"])
    check_keys(pathlib.Path(configuration).read_text(), texts["iptrackd.yml.5"], pages["iptrackd.yml.5"])
    if complaints:
        sys.exit("\n".join(complaints))
    print(f"{len(pages)} pages are complete")


main()
