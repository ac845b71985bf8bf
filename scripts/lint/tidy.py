#!/usr/bin/env python3
"""clang-tidy over every file of compile_commands.json below src/, or made for a folder of src/ (unity files). The tests would double the time and are left to the compiler.

    tidy.py BUILD_DIR CACHE_DIR

A file that passed is not looked at again while nothing that it was made of has changed: its own text, that of every header of the tree
or of the build directory that it includes, its compile command, and the configuration of clang-tidy. Headers of the system are left
out of the sum; the version of clang-tidy, which comes with them, is in it.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path.cwd()


def project_headers(entry):
    """Files of the tree and the build directory that the translation unit reads, itself included."""
    command = [word for word in shlex.split(entry["command"]) if word != "-c"]
    if "-o" in command:
        at = command.index("-o")
        del command[at : at + 2]
    listing = subprocess.run(
        [*command, "-MM", "-MT", "x"], cwd=entry["directory"], capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        return None
    names = shlex.split(listing.stdout.replace("\\\n", " "))[1:]
    paths = {(pathlib.Path(entry["directory"]) / name).resolve() for name in names}
    return sorted(str(path) for path in paths if path.is_relative_to(ROOT))


def digest_of(headers, seed):
    """One sum over SEED and the contents of HEADERS, or None when one of them is gone."""
    total = hashlib.sha256(seed)
    for name in headers:
        try:
            total.update(name.encode() + b"\0" + hashlib.sha256(pathlib.Path(name).read_bytes()).digest())
        except OSError:
            return None
    return total.hexdigest()


def check(entry, build_dir, cache_dir, common):
    """The complaints about one file, as text; empty when there are none."""
    source = pathlib.Path(entry["file"]).resolve().relative_to(ROOT)
    record = cache_dir / (str(source).replace("/", "+") + ".json")
    seed = common + entry["command"].encode()
    try:
        known = json.loads(record.read_text())
        if known["digest"] == digest_of(known["headers"], seed):
            return ""
    except (OSError, ValueError, KeyError):
        pass

    headers = project_headers(entry)
    before = headers and digest_of(headers, seed)
    result = subprocess.run(
        # The compile commands are those of GCC, which knows options that clang does not.
        ["clang-tidy", "-quiet", "-extra-arg=-Wno-unused-command-line-argument", "-p", str(build_dir), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == 0:
        if before:
            record.write_text(json.dumps({"digest": before, "headers": headers}))
        return ""
    record.unlink(missing_ok=True)
    complaints = result.stdout.replace(f"{ROOT}/", "").strip()
    return complaints or f"{source}:1: clang-tidy failed: {result.stderr.strip()}"


def main():
    build_dir, cache_dir = (pathlib.Path(argument) for argument in sys.argv[1:3])
    cache_dir.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    configuration = b"".join(path.read_bytes() for path in sorted(ROOT.glob("**/.clang-tidy")))
    entries = [
        entry
        for entry in json.loads((build_dir / "compile_commands.json").read_text())
        if re.match("(build/[^/]+/)?src/", os.path.relpath(entry["file"], ROOT)) and pathlib.Path(entry["file"]).exists()
    ]
    failed = False
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        jobs = [workers.submit(check, entry, build_dir, cache_dir, version + configuration) for entry in entries]
        for job in concurrent.futures.as_completed(jobs):
            failed = failed or bool(job.result())
            for line in job.result().splitlines():
                # One header's fault is found in every file that includes it.
                if not re.match(r"\S+:\d+:\d+: ", line) or line not in seen:
                    print(line, flush=True)
                seen.add(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
