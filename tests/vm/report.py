#!/usr/bin/env python3
"""report.py DIR: what scenarios-inside.sh brought back to DIR, as DIR/cases.tsv, one line a case:

    passed|failed|skipped <tab> name <tab> text

In the text, backslash, tab and newline are written \\\\, \\t and \\n. The last line is `stop`, how the daemon and run-scenarios ended.
A report that breaks off in the middle is taken as far as it goes. Exit codes: 0, or 1 where there is no case in it.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree

SKIPPED = "skipped: "


def text_of(element, name):
    return (element.findtext(name) or "").strip()


def failure_of(element):
    where = f"{element.get('filename')}:{element.get('line')}: "
    if element.tag == "Exception":
        return "it threw: " + (element.text or "").strip()
    if element.tag == "Message":
        return where + text_of(element, "Text")
    words = [f"{element.get('type')}( {text_of(element, 'Original')} )", text_of(element, "Expanded"), text_of(element, "Exception")]
    return where + "\n  ".join(word for word in words if word)


def is_failure(element):
    if element.tag == "Message":
        return element.get("type") != "WARNING"
    return element.tag == "Exception" or (element.tag == "Expression" and element.get("success") == "false")


def verdict(case):
    failures = [failure_of(element) for element in case.iter() if is_failure(element)]
    result = case.find("OverallResultsAsserts")
    if result is None:
        failures.append("it did not come to its end")
    elif result.get("test_case_success") != "true" and not failures:
        failures.append("it failed without a word")
    if failures:
        return "failed", "\n".join(failures)
    reasons = [text for text in (text_of(message, "Text") for message in case.iter("Message")) if text.startswith(SKIPPED)]
    return ("skipped", reasons[-1]) if reasons else ("passed", "")


def cases_of(report):
    unfinished = None
    try:
        for event, element in ElementTree.iterparse(report, events=("start", "end")):
            if element.tag != "TestCase":
                continue
            unfinished = element if event == "start" else None
            if event == "end" and element.get("skipped") != "true":
                yield element
    except ElementTree.ParseError:
        if unfinished is not None:
            yield unfinished


def content(file):
    return file.read_text(errors="replace").strip() if file.exists() else ""


def ending(place):
    """0, 1 and 77 of run-scenarios only sum up its cases."""
    if (status := content(place / "cases.status")) not in ("0", "1", "77"):
        return "failed", f"run-scenarios ended with {status or 'nothing'}"
    output = content(place / "stop.output")
    return ("passed" if content(place / "stop.status") == "0" else "failed"), output


def escaped(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def main():
    place = pathlib.Path(sys.argv[1])
    report = place / "report.xml"
    cases = [(case.get("name"), *verdict(case)) for case in cases_of(report)] if report.exists() else []
    if not cases:
        sys.exit(1)
    cases.append(("stop", *ending(place)))
    lines = (f"{outcome}\t{name}\t{escaped(text)}\n" for name, outcome, text in cases)
    (place / "cases.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
