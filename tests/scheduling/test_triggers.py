"""Triggers are taken apart as dlt does it, and what can never fire is refused with a way out."""

from datetime import UTC, datetime, timedelta

import pytest
from dlt._workspace.deployment import _trigger_helpers as dlt_triggers

from homeport.errors import BadRequest
from homeport.scheduling.triggers import JOB_EVENTS, RECURRING, TIMED, TriggerKind, parse_trigger

GOOD = [
    "schedule:0 8 * * *",
    "schedule: 0 8 * * *",
    "schedule:*/5 9-17 * * mon-fri",
    "schedule:0 0 l * *",
    "schedule:0 0 * * 5#2",
    "schedule:0 0 * * l5",
    "schedule:0 0 15w * *",
    "schedule:0 0 * * * 30",
    "schedule:@daily",
    "every:5m",
    "every:1.5h",
    "every:90",
    "once:2026-01-01",
    "once:2026-01-01T10:00:00+02:00",
    "http:",
    "http:8080",
    "http:/app",
    "http:8080/app",
    "deployment:",
    "webhook:",
    "webhook:github/push",
    "tag:ingest",
    "manual:",
    "manual:jobs.a.load",
    "pipeline_name:shop",
    "job.success:jobs.a.load",
    "job.fail:*",
    "job.success:tag:x",
    "job.success:batch",
]

BAD = {
    "schedule:": "no cron expression",
    "schedule:61 * * * *": "out of range",
    "schedule:* * * *": "no cron expression",
    "schedule:@reboot": "no cron expression",
    "schedule:0 0 31 2 *": "never fires",
    "schedule:0 0 31 4,6,9,11 *": "never fires",
    "schedule:0 0 29 2 * 0 2026": "never fires",
    "schedule:R 0 * * *": "by lot",
    "schedule:H H * * *": "by lot",
    "every:": "not a period",
    "every:59": "shorter than a minute",
    "every:0.9m": "shorter than a minute",
    "every:1h30m": "not a period",
    "every:nan": "not a period",
    "every:-5m": "not a period",
    "every:9999999d": "longer than a century",
    "once:": "not an ISO 8601",
    "once:tomorrow": "not an ISO 8601",
    "once:9999-12-31T23:59:59-14:00": "not an ISO 8601",
    "http:0": "no such port",
    "http:70000": "no such port",
    "http://localhost": "not [port][/path]",
    "tag:": "name is missing",
    "pipeline_name:": "name is missing",
    "job.success:": "names no job",
    "job.fail:load": "names no job",
    "job.completed:jobs.a": "no known type",
    "schedule": "no colon",
    "0 8 * * *": "no known type",
    "": "no known type",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_trigger_is_taken_apart_as_dlt_does_it_and_keeps_its_text(text: str) -> None:
    trigger = parse_trigger(text)
    assert str(trigger) == text
    assert trigger.kind == dlt_triggers.parse_trigger(text).type


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_a_bad_trigger_is_refused_by_name_with_the_reason_and_a_way_out(text: str, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_trigger(text)
    assert f"Trigger '{text}' cannot be used" in refused.value.message
    assert reason in refused.value.message
    assert "; write " in refused.value.message or "once:" in refused.value.message


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("every:90", timedelta(seconds=90)),
        ("every:5m", timedelta(minutes=5)),
        ("every: 1.5 h", timedelta(minutes=90)),
        ("every:1d", timedelta(days=1)),
    ],
)
def test_a_period_is_a_number_and_a_unit(text: str, period: timedelta) -> None:
    assert parse_trigger(text).period == period


@pytest.mark.parametrize("text", ["2026-01-01T10:00:00", "2026-01-01T10:00:00Z", "2026-01-01T12:00:00+02:00"])
def test_a_moment_without_an_offset_is_utc(text: str) -> None:
    assert parse_trigger(f"once:{text}").moment == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_every_kind_of_dlt_is_known_and_no_other() -> None:
    assert {str(kind) for kind in TriggerKind} == set(dlt_triggers.PARSERS)


def test_kinds_fall_into_what_fires_by_the_clock_and_what_fires_on_other_jobs() -> None:
    assert {str(kind) for kind in TIMED} == {"schedule", "every", "once"}
    assert {str(kind) for kind in RECURRING} == {"schedule", "every"}
    assert {str(kind) for kind in JOB_EVENTS} == {"job.success", "job.fail"}
    assert parse_trigger("once:2026-01-01").is_timed
    assert not parse_trigger("once:2026-01-01").is_recurring
    assert parse_trigger("job.fail:jobs.a").is_job_event
