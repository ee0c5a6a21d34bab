"""How things read."""

import pytest

from homeport.web import words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (9.7, "9.7 s"),
        (12.4, "12 s"),
        (59.9, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7810, "2 h 10 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("trigger", "zone", "expected"),
    [
        ("schedule:0 8 * * *", "UTC", "every day at 08:00 UTC"),
        ("schedule:30 6 * * 1-5", "Europe/Berlin", "on weekdays at 06:30 Europe/Berlin"),
        ("schedule:0 9 * * 7", "UTC", "every Sunday at 09:00 UTC"),
        ("schedule:5 * * * *", "UTC", "every hour at :05"),
        ("schedule:*/15 * * * *", "UTC", "every 15 minutes"),
        ("schedule:* * * * *", "UTC", "every minute"),
        ("schedule:0 8 1 * *", "UTC", "cron 0 8 1 * * UTC"),
        ("schedule:0 8 * * 1,3", "UTC", "cron 0 8 * * 1,3 UTC"),
        ("schedule:0 8 * * * 30", "UTC", "cron 0 8 * * * 30 UTC"),
        ("every:90m", "UTC", "every 1 h 30 min"),
        ("every:nonsense", "UTC", "every:nonsense"),
        ("once:2026-11-22T08:30:00+01:00", "UTC", "once at 2026-11-22 07:30:00 UTC"),
        ("once:nonsense", "UTC", "once at nonsense"),
        ("manual:jobs.a", "UTC", "by hand"),
        ("tag:ingest", "UTC", "by tag ingest"),
        ("job.success:jobs.a.b", "UTC", "after b succeeds"),
        ("of-no-kind", "UTC", "of-no-kind"),
    ],
)
def test_a_trigger_reads_as_a_sentence(trigger: str, zone: str, expected: str) -> None:
    assert words.trigger(trigger, zone) == expected


@pytest.mark.parametrize(
    ("status", "cause", "detail", "expected"),
    [
        ("completed", "exited", None, None),
        ("running", None, None, None),
        ("cancelling", None, "cancelled by Ada", "Cancelled by Ada"),
        ("failed", "exited", "the process ended with exit code 1", "The process ended with exit code 1"),
        ("failed", "exited", None, "Its process failed"),
        ("failed", "setup_failed", "no such package", "Its environment could not be made ready: no such package"),
        ("failed", "launch_failed", None, "It could not be started"),
        ("cancelled", "timed_out", None, "It took longer than its limit"),
        ("failed", "lost", "the node is gone", "It was lost: nothing was heard of it any more: the node is gone"),
    ],
)
def test_an_end_reads_as_a_sentence(status: str, cause: str | None, detail: str | None, expected: str) -> None:
    assert words.end(status, cause, detail) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB")]
)
def test_a_size_reads_well(count: int, expected: str) -> None:
    assert words.size(count) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07", "link"),
        ("1%\r50%\r100%\r", "100%"),
        ("\x1b(Ba\x1b[2K\x00b\x9b", "ab"),
    ],
)
def test_what_is_meant_for_a_terminal_is_left_out(line: str, expected: str) -> None:
    assert words.plain(line) == expected
