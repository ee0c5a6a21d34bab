"""What has run out is forgotten a day later; keys and versions never."""

from datetime import timedelta

import sqlalchemy as sa

from homeport.dispatch.pruning import PruneExpired
from homeport.operations import uploads
from homeport.store import credentials, packages

from ..conftest import NOW
from ..databases import on_both
from ..world import World


def count(world: World, table: sa.Table) -> int:
    with world.database.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@on_both
def test_codes_and_uploads_that_ended_are_forgotten_after_a_day(world: World) -> None:
    uploads.issue(world.platform, world.alice, world.workspace.id, "deployments")
    duty = PruneExpired(world.database, world.platform.blobs)
    duty.work(NOW + timedelta(hours=23))
    assert (count(world, credentials.table), count(world, packages.uploads)) == (2, 3)
    duty.work(NOW + timedelta(days=3))
    assert (count(world, credentials.table), count(world, packages.uploads)) == (1, 2)
    assert count(world, packages.table) == 2
