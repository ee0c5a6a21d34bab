"""The log of a fault says where it was, and nothing of what was sent."""

import sqlalchemy as sa
from structlog.testing import capture_logs

from homeport.telemetry import faults

from ..databases import on_both
from ..world import World
from .conftest import Door
from .test_errors import shape


@on_both
def test_a_fault_is_logged_without_what_was_sent(door: Door, world: World) -> None:
    with world.database.write() as tx:
        tx.execute(sa.text("ALTER TABLE invitations RENAME TO hidden"))
    path = f"/api/v1/organizations/{world.alice.organization_id}/invitations"
    with capture_logs() as log:
        answer = door.post(path, json={"email": "hunter2@hunter2", "role": "member"})
    assert shape(answer) == (500, "internal_error")
    [failed] = [entry for entry in log if entry["log_level"] == "error"]
    assert "hunter2" not in repr(failed)
    assert failed["path"] == "/api/v1/organizations/{organization_id}/invitations"
    assert "invitations.py" in failed["trace"]


def test_a_fault_tells_its_kinds_and_places_but_not_its_words() -> None:
    try:
        try:
            int("hunter2")
        except ValueError as error:
            raise KeyError("hunter2") from error
    except KeyError as error:
        told = faults.told(error)
    assert "hunter2" not in told
    assert "KeyError" in told
    assert "because of ValueError" in told
