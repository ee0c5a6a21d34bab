"""From a key, a code or a cookie to a person."""

from datetime import timedelta

import pytest

from homeport.auth.principals import SESSION_LIFETIME, SIGN_IN_LINK_LIFETIME
from homeport.errors import NotSignedIn, SetupError
from homeport.operations import first_start, sign_in
from homeport.store import credentials

from ..world import World


def code(world: World) -> str:
    with world.database.write() as tx:
        return sign_in.issue_sign_in_code(tx, world.alice.member_id, world.clock.now())


def test_a_key_is_its_holder(world: World) -> None:
    found = sign_in.by_api_key(world.platform, world.api_key)
    assert (found.member_id, found.email, found.via) == (world.alice.member_id, "owner@localhost", "api_key")


def test_a_link_signs_a_browser_in_once(world: World) -> None:
    value = code(world)
    session = sign_in.open_session_with_code(world.platform, value)
    assert sign_in.by_browser_session(world.platform, session).user_id == world.alice.user_id
    with pytest.raises(NotSignedIn, match="used before"):
        sign_in.open_session_with_code(world.platform, value)


def test_a_link_ends_after_a_day(world: World) -> None:
    value = code(world)
    world.clock.advance(SIGN_IN_LINK_LIFETIME)
    with pytest.raises(NotSignedIn, match="expired"):
        sign_in.open_session_with_code(world.platform, value)


def test_a_key_signs_a_browser_in_with_blanks_around_it(world: World) -> None:
    session = sign_in.open_session_with_key(world.platform, f" {world.api_key}\n")
    assert sign_in.by_browser_session(world.platform, session).via == "browser_session"


def test_a_session_ends_by_itself_and_on_request(world: World) -> None:
    first, second = (sign_in.open_session_with_key(world.platform, world.api_key) for _ in range(2))
    sign_in.end_session(world.platform, first)
    sign_in.end_session(world.platform, first)
    with pytest.raises(NotSignedIn):
        sign_in.by_browser_session(world.platform, first)
    assert sign_in.by_browser_session(world.platform, second)
    world.clock.advance(SESSION_LIFETIME + timedelta(seconds=1))
    with pytest.raises(NotSignedIn):
        sign_in.by_browser_session(world.platform, second)


def test_a_cookie_is_no_key_and_a_key_is_no_cookie(world: World) -> None:
    session = sign_in.open_session_with_key(world.platform, world.api_key)
    with pytest.raises(NotSignedIn):
        sign_in.by_api_key(world.platform, session)
    with pytest.raises(NotSignedIn):
        sign_in.by_browser_session(world.platform, world.api_key)


# the first start


def test_a_later_start_finds_everything_and_shows_nothing(world: World) -> None:
    assert first_start.ensure(world.platform) is None


def test_a_bootstrap_key_given_later_is_accepted_from_then_on(world: World) -> None:
    key = "dlt_u_" + "x" * 30
    platform = world.platform_with(bootstrap_api_key=key)
    for _ in range(2):
        assert first_start.ensure(platform) is None
    assert sign_in.by_api_key(platform, key).member_id == world.alice.member_id
    assert sign_in.by_api_key(platform, world.api_key).member_id == world.alice.member_id


def test_a_bootstrap_key_that_was_revoked_stays_revoked(world: World) -> None:
    key = "dlt_u_" + "x" * 30
    platform = world.platform_with(bootstrap_api_key=key)
    first_start.ensure(platform)
    with world.database.write() as tx:
        tx.execute(credentials.table.update().values(revoked_at=world.clock.now()))
    first_start.ensure(platform)
    with pytest.raises(NotSignedIn):
        sign_in.by_api_key(platform, key)


def test_a_bootstrap_key_of_another_form_changes_nothing(world: World) -> None:
    with pytest.raises(SetupError):
        first_start.ensure(world.platform_with(bootstrap_api_key="hunter2"))
