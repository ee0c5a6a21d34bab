"""What lets somebody in is kept as a hash, and works only as long as it should."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from homeport.auth import secrets
from homeport.operations import sign_in
from homeport.store import attempts, credentials, packages
from homeport.store.tables import metadata

from ..builders import at_once, definition
from ..conftest import NOW
from ..world import World

DAY = timedelta(days=1)


def test_no_table_holds_a_credential_in_the_clear(world: World) -> None:
    world.deploy(definition("a"))
    runner = world.running("a")
    with world.database.write() as tx:
        code = sign_in.issue_sign_in_code(tx, world.alice.member_id, NOW)
    ticket = world.engine.placements[-1].ticket
    hidden = [world.api_key, code, ticket, runner.launch.session]
    with world.database.read() as tx:
        everything = repr([row for table in metadata.sorted_tables for row in tx.execute(sa.select(table))])
    assert not [value for value in hidden if value in everything]
    assert secrets.hash_of(world.api_key) in everything


def test_every_hash_column_is_unique_or_bound_to_its_row() -> None:
    assert credentials.table.c.hash.unique
    assert packages.uploads.c.token_hash.unique
    assert attempts.table.c.id.primary_key


def test_a_credential_is_good_for_its_own_kind_only(world: World) -> None:
    with world.database.read() as tx:
        hash_ = secrets.hash_of(world.api_key)
        assert credentials.find(tx, "api_key", hash_, NOW) is not None
        assert credentials.find(tx, "browser_session", hash_, NOW) is None


def test_a_credential_ends_at_its_moment(world: World) -> None:
    with world.database.write() as tx:
        credentials.add(tx, "browser_session", "hash", world.alice.member_id, "browser", NOW, NOW + DAY)
        last = NOW + DAY - timedelta(microseconds=1)
        assert credentials.find(tx, "browser_session", "hash", last) is not None
        assert credentials.find(tx, "browser_session", "hash", NOW + DAY) is None


def test_a_revoked_credential_is_good_no_more(world: World) -> None:
    with world.database.write() as tx:
        key = credentials.add(tx, "api_key", "hash", world.alice.member_id, "key", NOW, None)
        assert credentials.revoke(tx, key, NOW)
        assert not credentials.revoke(tx, key, NOW)
        assert credentials.find(tx, "api_key", "hash", NOW) is None


def test_of_many_who_bring_a_one_use_code_one_gets_in(world: World) -> None:
    with world.database.write() as tx:
        credentials.add(tx, "sign_in_code", "hash", world.alice.member_id, "link", NOW, NOW + DAY)

    def use(_number: int) -> bool:
        with world.database.write() as tx:
            return credentials.use_up(tx, "sign_in_code", "hash", NOW) is not None

    assert sorted(at_once(4, use)) == [False, False, False, True]


@pytest.mark.parametrize("when", [NOW + DAY, NOW + 2 * DAY])
def test_an_expired_code_lets_nobody_in(world: World, when: object) -> None:
    with world.database.write() as tx:
        credentials.add(tx, "sign_in_code", "hash", world.alice.member_id, "link", NOW, NOW + DAY)
        assert credentials.use_up(tx, "sign_in_code", "hash", when) is None  # type: ignore[arg-type]


def test_ended_sessions_are_forgotten_and_keys_are_kept(world: World) -> None:
    with world.database.write() as tx:
        for kind in ("browser_session", "sign_in_code", "api_key"):
            credentials.add(tx, kind, kind, world.alice.member_id, kind, NOW, NOW + DAY)
        # the sign-in link of the first start has ended too
        assert credentials.delete_expired(tx, NOW + 2 * DAY) == 3
        kinds = tx.execute(sa.select(credentials.table.c.kind)).scalars()
        assert set(kinds) == {"api_key"}


def test_a_hash_is_there_once(world: World) -> None:
    hash_ = secrets.hash_of(world.api_key)
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        credentials.add(tx, "api_key", hash_, world.alice.member_id, "again", NOW, None)
