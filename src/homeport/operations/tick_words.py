"""How moments, runs and rows of the ledger read in sentences, on the clocks of UTC and of a job's zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from homeport.scheduling.tick_outcomes import COVERED, DEFERRED, TRIGGERED
from homeport.store.runs import Run
from homeport.store.ticks import Tick

_LATE_FROM_SECONDS = 60.0
_REFRESHES = {
    "always": "every run of this job is one",
    "asked": "somebody asked for it",
    "cascade": "an upstream was refreshed",
    "first_run": "it was the first run",
}


@dataclass(frozen=True)
class Words:
    zone: str

    @staticmethod
    def in_utc(moment: datetime) -> datetime:
        return moment.astimezone(UTC)

    def at(self, moment: datetime) -> str:
        """`2026-11-23 04:00 UTC (05:00 Europe/Berlin)`."""
        utc = moment.astimezone(UTC)
        if self.zone == "UTC":
            return f"{_shown(utc)} UTC"
        local = utc.astimezone(ZoneInfo(self.zone))
        there = _shown(local) if local.date() != utc.date() else _clock(local)
        return f"{_shown(utc)} UTC ({there} {self.zone})"

    def window(self, start: datetime, end: datetime) -> str:
        if start >= end:
            return f"empty, at {self.at(end)}"
        return f"from {self.at(start)} to {self.at(end)}"

    def run(self, run: Run) -> str:
        """`run #3, failed at …: why`."""
        since = run.finished_at or run.started_at or run.created_at
        how = f"{run.status} {'at' if run.is_over else 'since'} {self.at(since)}"
        why = f": {run.end_detail}" if run.end_detail and run.status != "completed" else ""
        if run.status == "pending" and run.waits_for is not None:
            why = f", waits for {run.waits_for}"
        return f"run #{run.number}, {how}{why}"

    def row(self, job_ref: str, row: Tick, run: Run | None) -> Iterator[str]:
        """What became of a moment, the decision's inputs indented below it."""
        what = self._what(row)
        if row.outcome == TRIGGERED:
            number = "a run" if run is None else f"run #{run.number}"
            yield f"{what} started {number} at {self.at(row.decided_at)}."
            if run is not None:
                yield f"  {_sentence(self.run(run))}."
        elif row.outcome == DEFERRED:
            yield f"{what} has not started: it waits since {self.at(row.first_decided_at)}."
            yield from self._reasons(row)
        elif row.outcome == COVERED:
            yield f"{what} started no run of its own: it was covered."
            if run is not None:
                yield f"  It was {self.run(run)}, that covers it."
            yield from self._reasons(row)
        else:
            yield f"{what} was not started ({row.outcome})."
            yield from self._reasons(row)
        yield from self._inputs(row.inputs)

    def taken_over(self, later: Tick, run: Run | None) -> str:
        if run is not None:
            return f"The tick of {self.at(later.moment)} started {self.run(run)}, which covers it."
        if later.outcome == DEFERRED:
            return f"The tick of {self.at(later.moment)} still waits; its run will cover it."
        return (
            f"The tick of {self.at(later.moment)} did not start either ({later.outcome}); the next run covers it."
        )

    def _what(self, row: Tick) -> str:
        if row.moment == row.last_moment:
            return f"The tick of {self.at(row.moment)} ({row.trigger})"
        count = "More than a thousand" if row.moments is None else f"The {row.moments}"
        return f"{count} ticks from {self.at(row.moment)} to {self.at(row.last_moment)} ({row.trigger})"

    def _reasons(self, row: Tick) -> Iterator[str]:
        for reason in row.reasons:
            yield f"  Because {reason}."

    def _inputs(self, inputs: dict[str, Any]) -> Iterator[str]:
        yield from self._upstreams(inputs.get("upstreams") or [])
        waited = inputs.get("waited")
        if waited:
            reasons = "; ".join(waited["reasons"])
            yield f"  It had to wait from {self._at(waited['since'])} on: {reasons}."
        interval = inputs.get("interval")
        if interval:
            yield f"  Window: {self.window(_moment(interval['start']), _moment(interval['end']))}."
        if inputs.get("completed_until"):
            yield f"  Completed before: up to {self._at(inputs['completed_until'])}."
        if inputs.get("refresh"):
            yield f"  A refresh: {_REFRESHES.get(inputs['refresh'], inputs['refresh'])}."
        if inputs.get("paused_since"):
            yield f"  Paused since {self._at(inputs['paused_since'])}."
        if inputs.get("active_runs"):
            limit = inputs.get("concurrency")
            yield f"  Active runs then: {inputs['active_runs']} of {'any number' if limit is None else limit}."
        if (late := inputs.get("lateness_seconds") or 0.0) >= _LATE_FROM_SECONDS and not waited:
            yield f"  It was decided {late:.0f} seconds late: the server was not there, or had much to do."
        if inputs.get("job_version"):
            yield f"  Version {inputs['job_version']} of the job, profile {inputs['profile']}."

    def _upstreams(self, upstreams: list[dict[str, Any]]) -> Iterator[str]:
        for item in upstreams:
            name = item["job_ref"]
            if item["started_together"]:
                yield f"  Upstream {name} was started just before."
            elif item["is_fresh"]:
                until = item["completed_until"]
                yield f"  Upstream {name} was fresh" + (f", up to {self._at(until)}." if until else ".")
            elif item["wanted_until"]:
                done = (
                    "nothing" if item["completed_until"] is None else f"up to {self._at(item['completed_until'])}"
                )
                yield (
                    f"  Upstream {name} has not completed its window up to {self._at(item['wanted_until'])} "
                    f"(completed: {done})."
                )

    def _at(self, text: str) -> str:
        return self.at(_moment(text))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d} {_clock(moment)}"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
