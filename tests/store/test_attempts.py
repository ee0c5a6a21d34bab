"""At most one runner gets an attempt, and only its own session speaks for it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from homeport.store import attempts, runs

from ..builders import at_once, definition
from ..conftest import NOW
from ..databases import on_both
from ..world import World


@pytest.fixture
def attempt(world: World) -> attempts.Attempt:
    world.deploy(definition("a"))
    run = world.start("a")
    with world.database.write() as tx:
        return attempts.submit(tx, run.id, 1, "ticket", NOW)


def claim(world: World, attempt: attempts.Attempt, ticket: str, session: str, pid: int = 1) -> bool:
    with world.database.write() as tx:
        return attempts.claim(tx, attempt.id, ticket, session, "here", pid, NOW)


def speaks(world: World, attempt: attempts.Attempt, session: str) -> bool:
    with world.database.read() as tx:
        return attempts.of_session(tx, attempt.id, session) is not None


def test_the_engine_side_name_is_short_and_plain(attempt: attempts.Attempt) -> None:
    assert attempt.id == f"hp-{attempt.run_id.hex}-1"
    assert len(attempt.id) <= 52


def test_of_many_claims_exactly_one_wins(world: World, attempt: attempts.Attempt) -> None:
    won = at_once(8, lambda number: claim(world, attempt, "ticket", f"session {number}", pid=number))
    assert won.count(True) == 1
    assert [speaks(world, attempt, f"session {number}") for number in range(8)] == won


def test_the_process_that_claimed_may_claim_again_and_gets_another_session(
    world: World, attempt: attempts.Attempt
) -> None:
    assert claim(world, attempt, "ticket", "first")
    assert claim(world, attempt, "ticket", "second")
    assert not speaks(world, attempt, "first")
    assert speaks(world, attempt, "second")


def test_another_process_may_not_claim_after_it(world: World, attempt: attempts.Attempt) -> None:
    assert claim(world, attempt, "ticket", "first", pid=1)
    assert not claim(world, attempt, "ticket", "second", pid=2)


def test_a_begun_attempt_is_not_claimed_again_even_by_its_own_process(
    world: World, attempt: attempts.Attempt
) -> None:
    claim(world, attempt, "ticket", "first")
    with world.database.write() as tx:
        assert attempts.begin(tx, attempt.id, world.clock.now())
        assert not attempts.begin(tx, attempt.id, world.clock.now())
    assert not claim(world, attempt, "ticket", "second")


def test_a_wrong_ticket_claims_nothing(world: World, attempt: attempts.Attempt) -> None:
    assert not claim(world, attempt, "another ticket", "session")


def test_a_renewed_ticket_voids_the_one_before(world: World, attempt: attempts.Attempt) -> None:
    with world.database.write() as tx:
        assert attempts.renew_ticket(tx, attempt, "new ticket", NOW)
    assert not claim(world, attempt, "ticket", "session")
    assert claim(world, attempt, "new ticket", "session")


def test_the_ticket_of_a_claimed_attempt_is_not_renewed(world: World, attempt: attempts.Attempt) -> None:
    claim(world, attempt, "ticket", "session")
    with world.database.write() as tx:
        assert not attempts.renew_ticket(tx, attempt, "new ticket", NOW)


def test_an_ended_attempt_is_fenced(world: World, attempt: attempts.Attempt) -> None:
    claim(world, attempt, "ticket", "session")
    with world.database.write() as tx:
        assert attempts.end(tx, attempt.run_id, NOW)
        assert not attempts.end(tx, attempt.run_id, NOW)
        assert attempts.of_session(tx, attempt.id, "session") is None
        assert attempts.ended_session(tx, attempt.id, "session")
        assert not attempts.ended_session(tx, attempt.id, "an intruder")
        assert attempts.live(tx) == []
    assert not claim(world, attempt, "ticket", "again")


def test_contact_is_remembered_while_the_attempt_lives(world: World, attempt: attempts.Attempt) -> None:
    later = NOW + timedelta(seconds=5)
    with world.database.write() as tx:
        attempts.hear(tx, attempt.id, later)
        attempts.end(tx, attempt.run_id, later)
        attempts.hear(tx, attempt.id, later + timedelta(seconds=5))
        found = attempts.get(tx, attempt.id)
    assert found is not None
    assert (found.contact_at, found.ended_at) == (later, later)


def test_a_run_has_one_attempt_of_each_number(world: World, attempt: attempts.Attempt) -> None:
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        attempts.submit(tx, attempt.run_id, 1, "another", NOW)


def test_the_schema_refuses_a_state_that_is_none(world: World, attempt: attempts.Attempt) -> None:
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        tx.execute(attempts.table.update().values(state="asleep"))


def test_an_attempt_needs_a_run(world: World) -> None:
    world.deploy(definition("a"))
    stray = world.start("a")
    with world.database.write() as tx:
        tx.execute(runs.table.delete().where(runs.table.c.id == stray.id))
    with pytest.raises(sa.exc.IntegrityError), world.database.write() as tx:
        attempts.submit(tx, stray.id, 1, "ticket", NOW)


@on_both
def test_what_must_be_watched_is_found_without_reading_what_is_over(world: World) -> None:
    """The watch of an idle server looks every second."""
    statement = attempts.LIVE
    with world.database.read() as tx:
        if tx.dialect.name == "postgresql":
            # few rows fit one page, which is then cheaper to read whole
            tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        compiled = statement.compile(tx, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if tx.dialect.name == "sqlite" else "EXPLAIN"
        plan = " ".join(str(row) for row in tx.execute(sa.text(f"{explain} {compiled}")))
    assert "ix_attempts_state" in plan, plan
    assert "SCAN attempts" not in plan
    assert "Filter" not in plan
