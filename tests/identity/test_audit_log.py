"""Who did what to what, from where, when: written with the deed, read by owners, and not to be touched."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from homeport.auth.principals import Principal
from homeport.operations import auditing
from homeport.store import audit_log
from homeport.store.schema import Tx

from ..builders import at_once, definition
from ..world import World
from .conftest import Doors

table = audit_log.table


def _entries(doors: Doors) -> list[dict[str, Any]]:
    """Oldest first."""
    answer = doors.get(f"{doors.org}/audit-log", doors.world.api_key, params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["items"]))


def test_deeds_are_written_down(doors: Doors) -> None:
    world = doors.world
    world.deploy(definition("load"))
    run = world.start("load")
    world.cancel(run.id)
    key = doors.post("/api/v1/keys", world.api_key, json={"name": "laptop"}).json()
    doors.post(f"/api/v1/keys/{key['id']}/-revoke", world.api_key)
    doors.browser(world.alice)
    deeds = [(entry["action"], entry["target"]) for entry in _entries(doors)]
    expected = [
        ("upload", "deployments version 1"),
        ("upload", "configurations version 1"),
        ("deploy", "__deployment__"),
        ("run.start", "jobs.load #1"),
        ("run.cancel", f"run 1 ({run.id})"),
        ("key.create", "laptop"),
        ("key.revoke", "laptop"),
        ("sign_in", world.alice.email),
    ]
    assert deeds == expected
    assert auditing.faults(world.platform) == []


def test_an_entry_says_who_from_where_and_when(doors: Doors) -> None:
    key = doors.post("/api/v1/keys", doors.world.api_key, json={"name": "laptop"}).json()
    entry = _entries(doors)[-1]
    assert (entry["actor"], entry["via"], entry["address"]) == (doors.world.alice.email, "api_key", "testclient")
    assert entry["actor_id"] == str(doors.world.alice.user_id)
    assert entry["detail"] == {"key": key["id"], "kind": "personal"}
    assert key["api_key"] not in repr(_entries(doors))


def test_what_did_not_happen_is_not_written_down(doors: Doors) -> None:
    before = _entries(doors)
    doors.world.deploy(definition("load"), dry_run=True)
    doors.post("/api/v1/keys", doors.world.api_key, json={"name": ""})
    assert _entries(doors) == before


def test_only_owners_read_it(doors: Doors, bob: Principal, charlie: Principal) -> None:
    statuses = [
        doors.get(f"{doors.org}/audit-log", doors.world.key_of(who)).status_code
        for who in (doors.world.alice, bob, charlie)
    ]
    assert statuses == [200, 403, 404]
    page = doors.browser(doors.world.alice).get(f"/organizations/{doors.world.alice.organization_id}/audit-log")
    assert "configurations version 1" in page.text


def test_organizations_have_logs_of_their_own(doors: Doors, charlie: Principal) -> None:
    before = len(_entries(doors))
    doors.browser(charlie)
    assert len(_entries(doors)) == before
    assert auditing.faults(doors.world.platform) == []


def _alter(tx: Tx) -> None:
    tx.execute(table.update().where(table.c.number == 2).values(actor="somebody else"))


def _alter_detail(tx: Tx) -> None:
    tx.execute(table.update().where(table.c.number == 2).values(detail={}))


def _remove_first(tx: Tx) -> None:
    tx.execute(table.delete().where(table.c.number == 1))


def _remove_from_the_middle(tx: Tx) -> None:
    tx.execute(table.delete().where(table.c.number == 2))


def _remove_last(tx: Tx) -> None:
    tx.execute(table.delete().where(table.c.number == 4))


def _remove_all(tx: Tx) -> None:
    tx.execute(table.delete())


def _swap(tx: Tx) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        tx.execute(table.update().where(table.c.number == old).values(number=new))


def _rewrite_hash(tx: Tx) -> None:
    tx.execute(table.update().where(table.c.number == 2).values(hash="0" * 64))


def _forget_the_head(tx: Tx) -> None:
    tx.execute(audit_log.heads.delete())


@pytest.mark.parametrize(
    "harm",
    [
        _alter,
        _alter_detail,
        _remove_first,
        _remove_from_the_middle,
        _remove_last,
        _remove_all,
        _swap,
        _rewrite_hash,
        _forget_the_head,
    ],
)
def test_whoever_touches_it_is_noticed(doors: Doors, harm: Callable[[Tx], None]) -> None:
    for name in ("one", "two"):
        doors.post("/api/v1/keys", doors.world.api_key, json={"name": name})
    assert auditing.faults(doors.world.platform) == []
    with doors.world.database.write() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 4
        harm(tx)
    assert auditing.faults(doors.world.platform) != []


def test_entries_that_come_at_once_make_one_chain(world: World) -> None:
    def write(number: int) -> None:
        with world.database.write() as tx:
            now = world.clock.now()
            auditing.record(tx, world.alice, auditing.Action.DEPLOY, f"module {number}", now, world.workspace.id)

    at_once(6, write)
    with world.database.read() as tx:
        rows, total = audit_log.page(tx, world.alice.organization_id, limit=100, offset=0, cap=100)
    assert [row.number for row in rows] == list(range(total, 0, -1))
    assert auditing.faults(world.platform) == []
