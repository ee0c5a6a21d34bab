"""How moments, durations, sizes, triggers and ends of runs read on a page."""

import re
from datetime import UTC, datetime
from itertools import pairwise

from homeport.contract import dlt_deployment
from homeport.errors import BadRequest
from homeport.scheduling.run_lifecycle import EndCause, RunStatus
from homeport.scheduling.triggers import parse_trigger

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAYS_OF_WEEK = {"*": "every day", "1-5": "on weekdays", "0,6": "at weekends", "6,0": "at weekends"}

# Colours and cursor movements of terminals: CSI sequences, OSC sequences (titles, links), other escapes; then
# every control character but the tab, which a page would show as a box or not at all.
_TERMINAL_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def iso(moment: datetime) -> str:
    """For `<time datetime>` and scripts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc(moment: datetime) -> str:
    """For people whose browser runs no scripts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (name, length), (smaller, part) in pairwise(_UNITS):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {name} {rest} {smaller}" if rest else f"{whole // length} {name}"
    return f"{whole} s"


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a number of 1 or more."""
    if count < 1024:
        return f"{count} B"
    amount, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"


def plain(text: str) -> str:
    """A line of a log without what is meant for a terminal; of a progress bar, its last state."""
    return _TERMINAL_CODES.sub("", text.rstrip("\r\n").rpartition("\r")[2])


def trigger(text: str, zone: str = "UTC") -> str:
    """A trigger in plain words."""
    kind, _, expr = text.partition(":")
    if kind == "schedule":
        return _cron(expr, zone)
    if kind == "manual":
        return "by hand"
    if kind == "tag":
        return f"by tag {expr}"
    if kind == "once":
        return _once(expr)
    if kind == "every":
        return _every(text)
    return dlt_deployment.humanized(text)


def _every(text: str) -> str:
    try:
        return f"every {duration(parse_trigger(text).period.total_seconds())}"
    except BadRequest:
        return text


def _once(expr: str) -> str:
    try:
        moment = datetime.fromisoformat(expr.strip())
    except ValueError:
        return f"once at {expr}"
    # without an offset it is UTC, as everywhere
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return f"once at {utc(moment)}"


def _cron(expr: str, zone: str) -> str:
    """The schedules that most people have, in words; all others as they are written."""
    minute, hour, day, month, weekday = expr.split() if len(expr.split()) == 5 else ("",) * 5
    if [hour, day, month, weekday] == ["*", "*", "*", "*"]:
        if minute == "*":
            return "every minute"
        if minute.isdecimal():
            return f"every hour at :{int(minute):02}"
        if re.fullmatch(r"\*/\d+", minute):
            return f"every {minute[2:]} minutes"
    days = _days(weekday) if [day, month] == ["*", "*"] else None
    if days is None or not (minute.isdecimal() and hour.isdecimal()):
        return f"cron {expr} {zone}"
    return f"{days} at {int(hour):02}:{int(minute):02} {zone}"


def _days(weekday: str) -> str | None:
    if weekday.isdecimal() and int(weekday) <= 7:
        return f"every {_DAYS[int(weekday) % 7]}"
    return _DAYS_OF_WEEK.get(weekday)


_ENDS = {
    EndCause.EXITED: "Its process failed",
    EndCause.SETUP_FAILED: "Its environment could not be made ready",
    EndCause.LAUNCH_FAILED: "It could not be started",
    EndCause.CANCELLED: "It was cancelled",
    EndCause.TIMED_OUT: "It took longer than its limit",
    EndCause.LOST: "It was lost: nothing was heard of it any more",
}
_TOLD_BY_DETAIL = {EndCause.EXITED, EndCause.CANCELLED, EndCause.TIMED_OUT}
"""Causes whose detail says the same and more."""


def end(status: str, cause: str | None, detail: str | None) -> str | None:
    """Why a run is over or being stopped; none where the status says it all."""
    said = "\n".join(map(plain, (detail or "").splitlines())).strip()
    if status == RunStatus.COMPLETED:
        return None
    if cause is None or (said and cause in _TOLD_BY_DETAIL):
        return said[:1].upper() + said[1:] or None
    sentence = _ENDS[EndCause(cause)]
    return f"{sentence}: {said}" if said else sentence


_OUTCOMES = {"triggered": "ran", "deferred": "waits", "covered": "covered by another run"}


def outcome(text: str) -> str:
    """What became of a moment of a schedule: `ran`, `waits`, `skipped: concurrency limit`."""
    if text in _OUTCOMES:
        return _OUTCOMES[text]
    return f"skipped: {text.removeprefix('skipped_').replace('_', ' ')}"
