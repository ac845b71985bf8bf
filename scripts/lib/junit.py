#!/usr/bin/env python3
"""junit.py STAGE FILE: what `ctest --output-junit FILE` wrote, one line a test:

    STAGE <tab> test <tab> passed|failed|skipped <tab> seconds <tab> reason

A test skips itself with exit code 77 and says why in the last line of its output. A test that did not run for any other reason has
failed: nobody asked for its absence.
"""

import sys
import xml.etree.ElementTree as ElementTree


def last_line(text):
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def verdict(case):
    output = last_line(case.findtext("system-out"))
    skipped = case.find("skipped")
    if skipped is not None:
        message = skipped.get("message", "")
        if message.startswith("SKIP_") or message == "Disabled":
            return "skipped", output or message
        return "failed", message or "it did not run"
    status = case.get("status")
    if status == "disabled":
        return "skipped", "disabled in CMake"
    if status == "run":
        return "passed", ""
    failure = case.find("failure")
    return "failed", (failure.get("message") if failure is not None else "") or output or f"status {status}"


def main():
    stage, path = sys.argv[1:3]
    for case in ElementTree.parse(path).iter("testcase"):
        outcome, reason = verdict(case)
        fields = [stage, case.get("name"), outcome, case.get("time", "0"), reason.replace("\t", " ")]
        print("\t".join(fields))


if __name__ == "__main__":
    main()
