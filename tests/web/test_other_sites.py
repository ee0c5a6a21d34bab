"""No other site's page can act in a visitor's name: held for every action in the table of pages."""

import re

import httpx
import pytest
import sqlalchemy as sa

from homeport.store.tables import metadata
from homeport.web.routes import ROUTES

from ..world import World

ACTIONS = [path for method, path, _ in ROUTES if method == "POST"]
SEEN = {"used_at"}


def everything(world: World) -> dict[str, list[str]]:
    with world.database.read() as tx:
        return {
            table.name: sorted(
                map(repr, tx.execute(sa.select(*(column for column in table.c if column.name not in SEEN))))
            )
            for table in metadata.sorted_tables
        }


@pytest.mark.parametrize("path", ACTIONS)
def test_a_form_of_another_site_changes_nothing(alice: httpx.Client, shop: World, path: str) -> None:
    run = shop.start("shop.load")
    ids = {
        "workspace_id": str(shop.workspace.id),
        "organization_id": str(shop.alice.organization_id),
        "member_id": str(shop.alice.member_id),
        "run_id": str(run.id),
        "name": "jobs.shop.load",
    }
    address = re.sub(r"{(\w+)}", lambda found: ids.get(found[1], str(run.id)), path)
    form = {
        "name": "key",
        "answer": "yes",
        "role": "owner",
        "email": "eve@example.org",
        "default_access": "developer",
    }
    before = everything(shop)
    for origin in ("http://evil.example", "null", "", f"{alice.base_url}.evil.example", "http://"):
        assert alice.post(address, data=form, headers={"Origin": origin}).status_code == 403, origin
    del alice.headers["Origin"]
    assert alice.post(address, data=form).status_code == 403
    assert everything(shop) == before
