#!/usr/bin/env python3
"""verifier-counts.py FOLDER KERNEL...: the table of docs/verifier-counts.md, from FOLDER/KERNEL/{fentry,tracepoint}.json as
`iptrackd probes --json` writes them."""
import json
import pathlib
import sys

HEAD = """# What the verifier looks at

Instructions that the verifier of each kernel looked at before it took a program; it gives up at 1,000,000. A jump in this
table is the first sign of a program that a kernel will one day refuse. `-`: not loaded there, as another program does
its work. Written by `scripts/verifier-counts.sh`.
"""


def counts(folder, kernel):
    found = {}
    for mechanism in ("fentry", "tracepoint"):
        for hook in json.loads((folder / kernel / f"{mechanism}.json").read_text()):
            if hook["verified_instructions"] is not None:
                found[hook["program"]] = (hook["hook"], hook["verified_instructions"])
            else:
                found.setdefault(hook["program"], (hook["hook"], None))
    return found


def main():
    folder, kernels = pathlib.Path(sys.argv[1]), sys.argv[2:]
    tables = [counts(folder, kernel) for kernel in kernels]
    print(HEAD)
    print("| program | hook | " + " | ".join(kernels) + " |")
    print("|---|---|" + "---:|" * len(kernels))
    for program, (hook, _) in tables[0].items():
        cells = [table[program][1] for table in tables]
        print(f"| `{program}` | `{hook}` | " + " | ".join(f"{cell:,}" if cell else "-" for cell in cells) + " |")


if __name__ == "__main__":
    main()
