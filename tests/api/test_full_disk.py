"""A server whose disk is full says so, changes nothing, and goes on as soon as there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from homeport.clock import FakeClock
from homeport.errors import OutOfRoom
from homeport.execution.engines.fake import FakeEngine
from homeport.operations import sign_in
from homeport.store import failed_tries
from homeport.store.database import Database
from homeport.web.visiting import COOKIE

from ..conftest import NOW
from ..databases import PostgresCluster
from ..furnished import Furnished
from ..small_disks import fill, small_disk
from ..world import World


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "8m") as disk:
        yield disk


@pytest.fixture
def furnished(disk: Path, clock: FakeClock) -> Iterator[Furnished]:
    """All that the server keeps is on the disk."""
    database = Database(f"sqlite:///{disk / 'homeport.db'}")
    database.migrate()
    world = World(database, clock, FakeEngine(), disk / "data")
    world.upload("deployments", {"job.py": "print('hello')"})
    world.upload("configurations", {"config.toml": ""})
    yield Furnished(world)
    database.close()


def test_doors_answer_503_with_the_reason_until_there_is_room(furnished: Furnished, disk: Path) -> None:
    world = furnished.world
    path = f"/api/v1/workspaces/{world.workspace.id}"
    upload = furnished.filled("POST", f"{path}/deployments/{{package_id}}/-upload")
    requests = [
        ("POST", f"{path}/keys", world.api_key, {"json": {"name": "key"}}),
        ("POST", upload, furnished.uploads["deployments"][1], {"files": {"file": b"x" * 100_000}}),
    ]
    session = sign_in.open_session_with_key(world.platform, world.api_key)
    furnished.client.cookies.set(COOKIE, session)
    action = f"/w/{world.workspace.id}/keys/-create"
    form = {"data": {"name": "key"}, "headers": {"Origin": "http://homeport.test"}}
    filling = fill(disk)
    for method, address, bearer, parts in requests:
        refused = furnished.ask(method, address, bearer, **parts)
        assert (refused.status_code, refused.json()["code"]) == (503, "out_of_room"), refused.text
        assert "disk" in refused.json()["detail"]
        assert refused.headers["retry-after"] == "60"
    page = furnished.client.post(action, **form)
    assert page.status_code == 503
    assert "disk" in page.text
    filling.unlink()
    assert furnished.ask(*requests[0][:3], **requests[0][3]).status_code == 201
    assert furnished.client.post(action, **form).status_code == 200


def test_the_storage_says_that_its_disk_is_full(furnished: Furnished, disk: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"x" * 100_000)
    blobs, place = furnished.world.platform.blobs, furnished.world.workspace.id
    fill(disk)
    for kind in ("deployments", "configurations"):
        with pytest.raises(OutOfRoom, match="storage is full"):
            blobs.put(place, kind, "0" * 64, archive)


def test_postgresql_says_that_its_disk_is_full(postgres: PostgresCluster) -> None:
    with postgres.small_space("1m") as space, postgres.database() as url:
        database = Database(url)
        with database.write() as tx:
            tx.execute(sa.text(f"ALTER TABLE failed_tries SET TABLESPACE {space}"))
        with pytest.raises(OutOfRoom, match="full"), database.write() as tx:  # noqa: PT012 - the commit, too
            for _ in range(100):
                failed_tries.add(tx, ["x" * 80] * 1_000, NOW)
        with database.read() as tx:
            assert failed_tries.nth_latest(tx, "x" * 80, 1, NOW.replace(year=2000)) is None
        database.close()
