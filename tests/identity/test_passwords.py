"""Who knows a password gets in; who guesses one does not get far."""

from datetime import timedelta

import pytest

from homeport.auth import guessing, passwords
from homeport.auth.principals import Principal
from homeport.errors import BadRequest, Conflict, NotFound, NotSignedIn, TooManyTries
from homeport.operations import accounts, sign_in
from homeport.web.visiting import COOKIE

from ..world import World
from .conftest import PASSWORD, Doors

HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with less memory: guesses come by the dozen here."""
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._hash_of_nobody.cache_clear()


def _sign_in(world: World, email: str, password: str, address: str = HERE) -> str:
    return sign_in.open_session_with_password(world.platform, email, password, address)


def test_a_password_signs_a_browser_in(doors: Doors, alice_password: str) -> None:
    browser = doors.browser()
    email = doors.world.alice.email.upper()
    answer = browser.post("/sign-in", data={"email": email, "password": alice_password, "next": "/keys"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys")
    assert browser.get("/keys").status_code == 200


@pytest.mark.parametrize(
    ("email", "password"),
    [("owner@localhost", "not the right one"), ("nobody@localhost", PASSWORD), ("owner@localhost", "x" * 5000)],
)
def test_a_wrong_password_and_an_unknown_account_are_answered_alike(
    doors: Doors, alice_password: str, email: str, password: str
) -> None:
    answer = doors.browser().post("/sign-in", data={"email": email, "password": password})
    assert answer.status_code == 401
    assert "not the e-mail and password of anybody here" in answer.text
    assert password[:200] not in answer.text
    assert COOKIE not in answer.headers.get("set-cookie", "")


def test_an_account_without_a_password_has_none_that_fits(world: World) -> None:
    for password in ("", "None", PASSWORD):
        with pytest.raises(NotSignedIn):
            _sign_in(world, world.alice.email, password)


def test_guessing_at_an_account_is_stopped_wherever_it_comes_from(world: World, alice_password: str) -> None:
    for number in range(guessing.PER_ACCOUNT):
        with pytest.raises(NotSignedIn):
            _sign_in(world, world.alice.email, "a wrong guess", f"192.0.2.{number}")
    with pytest.raises(TooManyTries, match="15 min"):
        _sign_in(world, world.alice.email, alice_password)
    world.clock.advance(guessing.WINDOW)
    assert _sign_in(world, world.alice.email, alice_password)


def test_guessing_from_an_address_is_stopped_whatever_the_account(world: World, alice_password: str) -> None:
    for number in range(guessing.PER_ADDRESS):
        with pytest.raises(NotSignedIn):
            _sign_in(world, f"somebody{number}@localhost", "a wrong guess")
    with pytest.raises(TooManyTries, match="your address"):
        _sign_in(world, world.alice.email, alice_password)
    assert _sign_in(world, world.alice.email, alice_password, "192.0.2.99")


def test_getting_in_forgives_what_was_mistyped(world: World, alice_password: str) -> None:
    for _ in range(3 * guessing.PER_ACCOUNT):
        with pytest.raises(NotSignedIn):
            _sign_in(world, world.alice.email, "mistyped it")
        _sign_in(world, world.alice.email, alice_password)
        world.clock.advance(timedelta(minutes=1))


def test_too_many_tries_are_told_on_the_page(doors: Doors) -> None:
    browser, form = doors.browser(), {"email": "a@b", "password": "a wrong guess"}
    answers = [browser.post("/sign-in", data=form) for _ in range(guessing.PER_ACCOUNT + 1)]
    assert [answer.status_code for answer in answers] == [401] * guessing.PER_ACCOUNT + [429]
    assert (
        "Too many failed tries for this account. Try again in 15 min, or sign in with a link" in answers[-1].text
    )
    assert answers[-1].headers["retry-after"] == str(guessing.WINDOW.seconds)
    doors.world.advance(minutes=14)
    assert "Try again in 1 min," in browser.post("/sign-in", data=form).text
    doors.world.advance(minutes=1)
    assert browser.post("/sign-in", data=form).status_code == 401


def test_a_person_sets_their_password_and_must_know_the_one_before(doors: Doors) -> None:
    world, browser = doors.world, doors.browser(doors.world.alice)
    assert browser.post("/keys/-password", data={"new": PASSWORD}).status_code == 200
    assert browser.post("/keys/-password", data={"new": "another one entirely"}).status_code == 400
    changed = {"current": PASSWORD, "new": "another one entirely"}
    assert browser.post("/keys/-password", data=changed).status_code == 200
    assert _sign_in(world, world.alice.email, "another one entirely")


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(BadRequest, match="10 to 200"):
        passwords.check_form(password)


def test_the_server_sets_a_password_and_signs_everybody_out(doors: Doors, bob: Principal) -> None:
    world, browser, login = doors.world, doors.browser(bob), doors.log_in(bob)
    accounts.set_password(world.platform, bob.email, PASSWORD)
    assert browser.get("/keys").status_code == 303
    assert doors.get(doors.ws, login.jwt).status_code == 401
    assert _sign_in(world, bob.email, PASSWORD)


def test_the_server_adds_and_lists_people(world: World) -> None:
    accounts.add_user(world.platform, " Dora@Homeport ", "Dora", "member", PASSWORD)
    with pytest.raises(Conflict):
        accounts.add_user(world.platform, "dora@homeport", None, "member", None)
    found = {user.email: has_password for user, has_password in accounts.list_users(world.platform)}
    assert found == {"dora@homeport": True, world.alice.email: False}
    with pytest.raises(NotFound):
        accounts.set_password(world.platform, "nobody@homeport", PASSWORD)


def test_no_password_is_kept_in_the_clear(world: World, alice_password: str) -> None:
    import sqlalchemy as sa

    from homeport.store.tables import metadata

    with world.database.read() as tx:
        everything = repr([row for table in metadata.sorted_tables for row in tx.execute(sa.select(table))])
    assert alice_password not in everything
    assert "$argon2id$" in everything
