"""The server's log: every event is listed once, and no secret gets into it."""

import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from homeport.store.database import Database
from homeport.telemetry import events, log_format
from homeport.telemetry.events import Event

LISTED = {name: value for name, value in vars(events).items() if isinstance(value, Event)}


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def fail_with_a_secret_at_hand() -> None:
    secret = "hunter2"  # noqa: F841 - what a careless traceback would show
    try:
        raise LookupError("a fault")
    except LookupError as error:
        log = structlog.get_logger("homeport")
        log.log(logging.ERROR, events.SERVICE_FAILED.name, service="watch", error=repr(error), exc_info=error)


def test_every_event_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len({event.name for event in LISTED.values()}) == len(LISTED)
    for constant, event in LISTED.items():
        assert constant.lower() == event.name
        assert event.meaning
        assert event.level in (logging.INFO, logging.WARNING, logging.ERROR)


@pytest.mark.parametrize("form", ["console", "json", "auto"])
def test_a_fault_is_told_with_its_traceback_and_without_what_was_in_its_frames(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_format.configure(form)
        fail_with_a_secret_at_hand()
    told = capsys.readouterr().err
    assert "LookupError: a fault" in told
    assert "fail_with_a_secret_at_hand" in told
    assert "hunter2" not in told


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_format.configure("json")
    fail_with_a_secret_at_hand()
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "service_failed"


def test_errors_of_the_database_do_not_quote_what_was_to_be_written(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(sa.exc.OperationalError) as failure, database.write() as tx:
        tx.execute(sa.text("INSERT INTO nowhere VALUES (:value)"), {"value": "hunter2"})
    database.close()
    assert "hunter2" not in repr(failure.value) + str(failure.value)
