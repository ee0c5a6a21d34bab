"""Versions of code and of configuration count apart, from 1, without gaps."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from homeport.contract.packages import PackageKind
from homeport.store import packages, workspaces
from homeport.store.packages import Contents, Package, Upload

from ..builders import at_once
from ..conftest import NOW
from ..world import World

CONTENTS = Contents("hash", "sha256", 3, [{"relative_path": "a.py"}], {"groups": {"main": ["dlt"]}}, 2, ["prod"])


def add(world: World, kind: PackageKind, workspace_id: UUID | None = None) -> Package:
    """One more version, as an upload makes it."""
    workspace_id = workspace_id or world.workspace.id
    upload = Upload(uuid4(), workspace_id, kind, world.alice.member_id, NOW + timedelta(minutes=1), None)
    with world.database.write() as tx:
        packages.issue_upload(tx, upload, f"token of {upload.id}", NOW)
        workspaces.lock(tx, workspace_id)
        assert packages.use_up_upload(tx, upload.id, NOW)
        return packages.add_version(tx, upload, CONTENTS, NOW)


def test_code_and_configuration_are_counted_apart_from_1(world: World) -> None:
    # the world has version 1 of each
    numbers = [add(world, kind).version for kind in ("deployments", "deployments", "configurations")]
    assert numbers == [2, 3, 2]


def test_each_workspace_counts_for_itself(world: World) -> None:
    _, elsewhere = world.stranger()
    assert add(world, "deployments", elsewhere.id).version == 1


def test_uploads_that_race_get_consecutive_versions(world: World) -> None:
    numbers = at_once(6, lambda _number: add(world, "deployments").version)
    assert sorted(numbers) == [2, 3, 4, 5, 6, 7]


def test_the_active_version_is_the_highest(world: World) -> None:
    add(world, "deployments")
    newest = add(world, "deployments")
    with world.database.read() as tx:
        assert packages.latest(tx, world.workspace.id, "deployments") == newest
        assert packages.files(tx, newest.id) == CONTENTS.files
        assert packages.requirements(tx, newest.id) == CONTENTS.requirements


def test_a_version_is_found_under_its_own_workspace_and_kind_only(world: World) -> None:
    found = add(world, "deployments")
    with world.database.read() as tx:
        assert packages.get(tx, world.workspace.id, "deployments", found.id) == found
        assert packages.get(tx, world.workspace.id, "configurations", found.id) is None
        assert packages.get(tx, uuid4(), "deployments", found.id) is None


def test_versions_are_listed_newest_first(world: World) -> None:
    for _ in range(3):
        add(world, "deployments")
    with world.database.read() as tx:

        def versions(version: int | None, limit: int, offset: int) -> tuple[list[int], int]:
            found, total = packages.page(
                tx, world.workspace.id, "deployments", version=version, limit=limit, offset=offset, cap=3
            )
            return [item.version for item in found], total

        assert versions(None, 2, 0) == ([4, 3], 3)
        assert versions(None, 2, 3) == ([1], 3)
        assert versions(2, 9, 0) == ([2], 1)


def test_an_upload_is_used_once(world: World) -> None:
    upload = Upload(uuid4(), world.workspace.id, "deployments", world.alice.member_id, NOW, None)
    with world.database.write() as tx:
        packages.issue_upload(tx, upload, "token", NOW)

    def use(_number: int) -> bool:
        with world.database.write() as tx:
            return packages.use_up_upload(tx, upload.id, NOW)

    assert sorted(at_once(4, use)) == [False, False, False, True]


def test_uploads_that_were_never_made_are_forgotten_and_made_ones_kept(world: World) -> None:
    stale = Upload(uuid4(), world.workspace.id, "deployments", world.alice.member_id, NOW, None)
    with world.database.write() as tx:
        packages.issue_upload(tx, stale, "token", NOW)
        assert packages.delete_stale_uploads(tx, NOW + timedelta(days=1)) == 1
        assert tx.execute(sa.select(sa.func.count()).select_from(packages.uploads)).scalar_one() == 2


@pytest.mark.parametrize("columns", [{"kind": "notes"}, {"version": 0}], ids=str)
def test_the_schema_refuses_a_version_that_cannot_be(world: World, columns: dict[str, object]) -> None:
    found = add(world, "deployments")
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        tx.execute(packages.table.update().where(packages.table.c.id == found.id).values(columns))
