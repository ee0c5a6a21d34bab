"""Triggers: the strings that say when a job runs, taken apart (run contract §13.1).

The client has normalised them; text inside is kept as it was written, for triggers are compared as strings.
Whatever can never fire is refused here, with the trigger, the reason and the way out in the message.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from homeport.errors import BadRequest
from homeport.scheduling.cron import BadCron, parse_cron

SHORTEST_PERIOD = timedelta(minutes=1)
"""The platform's limit for `every`: below it, starting a process takes longer than the pause is worth."""

LONGEST_PERIOD = timedelta(days=36_525)
"""A century. Longer is a slip of the pen, and soon leaves the calendar that `datetime` can count in."""


class TriggerKind(StrEnum):
    """The part before the first colon."""

    SCHEDULE = "schedule"
    """Each tick of a cron expression, in the zone of the job."""
    EVERY = "every"
    """Again and again after a period."""
    ONCE = "once"
    """At one moment."""
    HTTP = "http"
    """Marks an interactive job; never fires by itself."""
    DEPLOYMENT = "deployment"
    """After a deploy that includes the job."""
    WEBHOOK = "webhook"
    """A call to an address that the server offers."""
    TAG = "tag"
    """On demand, by tag."""
    MANUAL = "manual"
    """On demand."""
    PIPELINE_NAME = "pipeline_name"
    """On demand, by the pipeline that the job loads."""
    JOB_SUCCESS = "job.success"
    """A run of another job completed."""
    JOB_FAIL = "job.fail"
    """A run of another job failed."""


TIMED: frozenset[TriggerKind] = frozenset({TriggerKind.SCHEDULE, TriggerKind.EVERY, TriggerKind.ONCE})
"""Kinds that fire by the clock."""

RECURRING: frozenset[TriggerKind] = TIMED - {TriggerKind.ONCE}
"""Kinds that fire again and again. A job has at most one; it can then be paused and have an interval."""

JOB_EVENTS: frozenset[TriggerKind] = frozenset({TriggerKind.JOB_SUCCESS, TriggerKind.JOB_FAIL})
"""Kinds that fire when a run of another job ends."""

_ONLY_KINDS = frozenset({"batch", "interactive", "stream", "job"})
_PERIOD = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}  # seconds
_HTTP = re.compile(r"(?P<port>\d{1,5})?(?:/\S*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that was accepted by `parse_trigger`. `str()` gives the text back."""

    kind: TriggerKind
    expr: str
    """What stands after the first colon, as written; may be empty where the kind allows it."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.expr}"

    @property
    def is_timed(self) -> bool:
        return self.kind in TIMED

    @property
    def is_recurring(self) -> bool:
        return self.kind in RECURRING

    @property
    def is_job_event(self) -> bool:
        return self.kind in JOB_EVENTS

    @property
    def period(self) -> timedelta:
        """Of an `every` trigger."""
        return _period(self.expr)

    @property
    def moment(self) -> datetime:
        """Of a `once` trigger, in UTC."""
        return _moment(self.expr)


def parse_trigger(text: str) -> Trigger:
    """Take a trigger such as `schedule:0 8 * * *` apart; `BadRequest` when it is none or can never fire."""
    kind_text, colon, expr = text.partition(":")
    try:
        kind = TriggerKind(kind_text)
        if not colon:
            raise _Refused("it has no colon", f"write '{kind}:' and what belongs to it")
        _CHECKS.get(kind, _anything)(expr)
    except _Refused as refused:
        raise _bad(text, refused.reason, refused.way_out) from None
    except ValueError:
        known = ", ".join(sorted(TriggerKind))
        raise _bad(text, "it is of no known type", f"write <type>:<expression> with one of {known}") from None
    return Trigger(kind, expr)


class _Refused(Exception):
    def __init__(self, reason: str, way_out: str) -> None:
        self.reason, self.way_out = reason, way_out


def _bad(text: str, reason: str, way_out: str) -> BadRequest:
    return BadRequest(f"Trigger '{text}' cannot be used: {reason}; {way_out}.", code="invalid_trigger")


def _anything(expr: str) -> None:
    """Any text, or none, is fine."""


def _check_schedule(expr: str) -> None:
    try:
        parse_cron(expr)
    except BadCron as bad:
        raise _Refused(
            str(bad), "write five cron fields such as '0 8 * * 1-5', or six with seconds last"
        ) from None


def _check_every(expr: str) -> None:
    period = _period(expr)
    if period < SHORTEST_PERIOD:
        raise _Refused("the period is shorter than a minute", "write 'every:1m' or longer")
    if period > LONGEST_PERIOD:
        raise _Refused("the period is longer than a century", "write a shorter one, or use 'once:'")


def _check_once(expr: str) -> None:
    _moment(expr)


def _check_http(expr: str) -> None:
    match = _HTTP.fullmatch(expr)
    if match is None or expr.startswith("//"):
        raise _Refused(
            "this is not [port][/path]", "write 'http:', 'http:8080' or 'http:8080/path', without a host"
        )
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65_535:
        raise _Refused("there is no such port", "write one from 1 to 65535")


def _check_name(expr: str) -> None:
    if not expr:
        raise _Refused("the name is missing", "write it after the colon")


def _check_job_event(expr: str) -> None:
    # The client expands selectors into refs; one that it left, dlt's own parser accepts too.
    is_selector = any(c in expr for c in ":*?[") or expr in _ONLY_KINDS or expr in set(TriggerKind)
    if not expr.startswith("jobs.") and not is_selector:
        raise _Refused("it names no job", "write the job's full reference, such as 'jobs.<section>.<name>'")


_CHECKS: dict[TriggerKind, Callable[[str], None]] = {
    TriggerKind.SCHEDULE: _check_schedule,
    TriggerKind.EVERY: _check_every,
    TriggerKind.ONCE: _check_once,
    TriggerKind.HTTP: _check_http,
    TriggerKind.TAG: _check_name,
    TriggerKind.PIPELINE_NAME: _check_name,
    TriggerKind.JOB_SUCCESS: _check_job_event,
    TriggerKind.JOB_FAIL: _check_job_event,
}


def _period(expr: str) -> timedelta:
    match = _PERIOD.fullmatch(expr)
    if match is None:
        raise _Refused("this is not a period", "write one number and one unit of s, m, h, d, such as '90m'")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        return timedelta.max


def _moment(expr: str) -> datetime:
    try:
        moment = datetime.fromisoformat(expr.strip())
        # Without an offset it is UTC, as the client reads it.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Refused(
            "this is not an ISO 8601 date and time", "write one such as '2026-11-22T08:30:00+01:00'"
        ) from None
