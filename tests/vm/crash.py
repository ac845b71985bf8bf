#!/usr/bin/env python3
"""crash.py kept|control|logins INTERVAL_MS DIR: judges what crash.sh left in DIR; the formats are those of crash-inside.sh.

    kept      what was done more than INTERVAL_MS and a margin before the crash is delivered
    control   some of it is not
    logins    only logins are judged, and without the interval

In each: nothing is delivered twice, what came after the reboot is there, and whatever is missing lies within a loss of the
stage `daemon`. Prints a line of figures, and one for each fault. Exit codes: 0, or 1 where there is a fault.
"""

import collections
import datetime
import json
import pathlib
import sys

# Events wait for 60 ms in the pool, to be ordered; the rest is for a machine that is emulated.
MARGIN_MS = 150
# Fewer in six seconds are no load, even where emulating is slow.
MIN_PROGRAMS = 30
MIN_LOGINS = 5


class Boot:
    """What one boot has printed: the moments, in seconds since 1970, by kind and number."""

    def __init__(self, file):
        self.id = None
        self.crash = None
        self.done = {"exec": {}, "login": {}}
        for line in file.read_text(errors="replace").splitlines():
            self.hear(line.split())

    def hear(self, words):
        match words:
            case ["boot", boot_id]:
                self.id = boot_id
            case ["crash", moment]:
                self.crash = float(moment)
            # The last line may be cut off.
            case [("exec" | "login") as kind, number, moment] if len(moment.partition(".")[2]) == 6:
                self.done[kind][int(number)] = float(moment)

    def last_sign(self):
        """The crash comes after all that was still printed."""
        return max([self.crash, *self.done["exec"].values(), *self.done["login"].values()])


class Delivered:
    def __init__(self, file):
        self.rows, self.losses, self.host_events = [], [], []
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if "loss" in row:
                self.losses.append(row["loss"])
            elif "host_event" in row:
                self.host_events.append(row["host_event"])
            else:
                self.rows.append(row)
        self.counts = collections.Counter(filter(None, map(numbered, self.rows)))

    def twice(self):
        keys = collections.Counter((row["boot_id"], row["seq"]) for row in self.rows)
        return sum(count > 1 for count in keys.values()) + sum(count > 1 for count in self.counts.values())

    def daemon_down(self):
        return [loss for loss in self.losses if (loss["stage"], loss["cause"], loss["count"]) == ("daemon", "daemon-down", None)]


def numbered(row):
    """Which of the numbered deeds a row is about: its boot, kind and number."""
    kind, name = row["kind"], ""
    if kind == "exec" and row["args"]:
        name = row["args"][-1]
    elif kind == "open_session":
        kind, name = "login", row["pam_user"] or ""
    prefix, _, number = name.rpartition("-")
    return (row["boot_id"], kind, int(number)) if prefix == kind and number.isdigit() else None


def seconds(timestamp):
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def missing(boot, kind, delivered):
    return {number: moment for number, moment in boot.done[kind].items() if not delivered.counts[boot.id, kind, number]}


def faults_of_books(load, crash, lost, delivered):
    down = delivered.daemon_down()
    if len(down) != 1:
        yield f"{len(down)} losses of the stage daemon instead of one"
        return
    begin, end = seconds(down[0]["from_ts"]), seconds(down[0]["to_ts"])
    if not begin <= crash <= end:
        yield f"the loss is booked from {begin} to {end}, and the crash was at {crash}"
    if unbooked := [moment for moment in lost if moment < begin]:
        yield f"{len(unbooked)} lost events had ended before the loss that is booked begins"
    if [event["kind"] for event in delivered.host_events].count("crash") != 1:
        yield "there is not one host_event of the kind crash"
    strays = {row["boot_id"] for row in delivered.rows} - {load.id}
    if len(strays) > 1:
        yield f"rows of {len(strays)} boots besides the first"


def faults_of_age(mode, interval_ms, crash, lost):
    """What was done that long before the crash must be there, by kind."""
    bounds = {"exec": interval_ms + MARGIN_MS, "login": MARGIN_MS if mode == "logins" else interval_ms + MARGIN_MS}
    for kind, bound in bounds.items():
        old = [moment for moment in lost[kind].values() if moment < crash - bound / 1000]
        if (mode, kind) == ("control", "exec"):
            if not old:
                yield f"the control has lost nothing that is older than {bound} ms"
        elif old and (mode, kind) != ("logins", "exec"):
            yield f"{len(old)} of {kind} are lost that were done more than {bound} ms before the crash"


def faults_of_load(mode, load):
    if load.crash is None or load.id is None:
        yield "the first boot did not come to its crash"
    elif len(load.done["exec"]) < MIN_PROGRAMS:
        yield f"only {len(load.done['exec'])} programs were run before the crash: that is no load"
    elif mode != "control" and len(load.done["login"]) < MIN_LOGINS:
        yield f"only {len(load.done['login'])} logins came before the crash"


def figures(load, rest, crash, lost, delivered):
    parts = []
    for kind in ("exec", "login"):
        part = f"{len(load.done[kind]) - len(lost[kind])} of {len(load.done[kind])} {kind} stored"
        if lost[kind]:
            part += f", the oldest lost {1000 * (crash - min(lost[kind].values())):.0f} ms before the crash"
        parts.append(part)
    parts.append(f"{len(delivered.rows)} rows, {delivered.twice()} twice")
    for loss in delivered.daemon_down():
        begin, end = seconds(loss["from_ts"]), seconds(loss["to_ts"])
        parts.append(f"booked from {1000 * (crash - begin):.0f} ms before the crash to {end - crash:.1f} s after it")
    afterwards = len(rest.done["exec"]) - len(missing(rest, "exec", delivered))
    parts.append(f"after the reboot {afterwards} of {len(rest.done['exec'])}")
    if others := [loss for loss in delivered.losses if loss["stage"] != "daemon"]:
        causes = sorted({f"{loss['stage']}: {loss['cause']}" for loss in others})
        parts.append(f"{sum(loss['count'] or 0 for loss in others)} lost elsewhere ({', '.join(causes)})")
    return "; ".join(parts)


def main():
    mode, interval_ms, place = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    load, rest, delivered = Boot(place / "load"), Boot(place / "rest"), Delivered(place / "rows.jsonl")
    faults = list(faults_of_load(mode, load))
    if load.crash is not None:
        crash = load.last_sign()
        lost = {kind: missing(load, kind, delivered) for kind in load.done}
        print(figures(load, rest, crash, lost, delivered))
        faults += faults_of_age(mode, interval_ms, crash, lost)
        faults += faults_of_books(load, crash, [*lost["exec"].values(), *lost["login"].values()], delivered)
    if not rest.done["exec"] or missing(rest, "exec", delivered):
        faults.append("programs that were run after the reboot are missing")
    if twice := delivered.twice():
        faults.append(f"{twice} are delivered twice")
    for fault in faults:
        print(f"fault: {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
