"""What a runner may ask: the claim once, and everything else only with its session."""

import gzip
import hashlib
from datetime import timedelta

import pytest

from homeport.contract.runner_protocol import ClaimRequest
from homeport.errors import Conflict, NotSignedIn
from homeport.operations import run_attempts

from ..builders import definition
from ..conftest import NOW
from ..databases import on_both
from ..world import Runner, World


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("a"))
    return world.claim(world.start("a"))


def test_a_claim_is_answered_with_everything_the_run_needs(world: World, runner: Runner) -> None:
    launch = runner.launch
    assert launch.variables["RUNTIME__RUN_ID"] == str(runner.run_id)
    assert launch.lease_seconds == 300
    assert world.attempt(world.run(runner.run_id)).state == "claimed"


@pytest.mark.parametrize("ticket", ["wrong", ""])
def test_a_wrong_ticket_is_refused(world: World, ticket: str) -> None:
    world.deploy(definition("a"))
    run = world.start("a")
    world.submit()
    with pytest.raises(Conflict):
        run_attempts.claim(world.platform, world.attempt(run).id, ClaimRequest(ticket=ticket))


def test_an_attempt_that_is_not_there_is_refused_alike(world: World) -> None:
    with pytest.raises(Conflict):
        run_attempts.claim(world.platform, "hp-nothing-1", ClaimRequest(ticket="any"))


@on_both
def test_the_lost_answer_to_a_claim_can_be_asked_for_again(world: World, runner: Runner) -> None:
    again = world.claim(world.run(runner.run_id))
    assert again.launch.session != runner.launch.session
    with pytest.raises(NotSignedIn):
        runner.say(0, "from the grave")
    again.begin()


@pytest.mark.parametrize("which", ["code", "configuration"])
def test_packages_are_what_the_launch_promised(world: World, runner: Runner, which: str) -> None:
    content = run_attempts.package(world.platform, runner.attempt_id, runner.launch.session, which)  # type: ignore[arg-type]
    promised = runner.launch.packages[which]  # type: ignore[index]
    assert promised is not None
    assert hashlib.sha256(content).hexdigest() == promised.sha256


def test_the_person_s_credentials_do_not_reach_the_run(world: World) -> None:
    secrets = '[runtime]\napi_key = "dlt_u_of_alice"  # mine\n[sources]\ntoken = "of the source"\n'
    world.upload("configurations", {"secrets.toml": secrets})
    world.deploy(definition("a"))
    runner = world.claim(world.start("a"))
    content = run_attempts.package(world.platform, runner.attempt_id, runner.launch.session, "configuration")
    plain = gzip.decompress(content)
    assert b"dlt_u_of_alice" not in plain
    assert b"of the source" in plain


@on_both
@pytest.mark.parametrize("request_", ["say", "begin", "is_to_cancel"])
def test_a_session_whose_run_is_over_is_fenced(world: World, runner: Runner, request_: str) -> None:
    runner.begin()
    runner.exit(0)
    ask = {"say": lambda: runner.say(0, "late"), "begin": runner.begin, "is_to_cancel": runner.is_to_cancel}
    with pytest.raises(Conflict) as refusal:
        ask[request_]()
    assert refusal.value.code == "not_yours"


def test_a_session_of_another_attempt_is_no_session(world: World, runner: Runner) -> None:
    world.deploy(definition("b"), module=None)
    other = world.claim(world.start("b"))
    with pytest.raises(NotSignedIn):
        run_attempts.take_lines(world.platform, other.attempt_id, runner.launch.session, 0, [])


def test_the_run_begins_when_its_process_lives(world: World, runner: Runner) -> None:
    later = world.advance(seconds=9)
    runner.begin()
    run = world.run(runner.run_id)
    assert (run.status, run.started_at) == ("running", later)
    world.advance(seconds=9)
    runner.begin()
    assert world.run(runner.run_id).started_at == later


@pytest.mark.parametrize("sign", ["say", "is_to_cancel"])
def test_every_request_is_a_sign_of_life(world: World, runner: Runner, sign: str) -> None:
    world.advance(seconds=20)
    runner.say(0) if sign == "say" else runner.is_to_cancel()
    assert world.attempt(world.run(runner.run_id)).contact_at == NOW + timedelta(seconds=20)
