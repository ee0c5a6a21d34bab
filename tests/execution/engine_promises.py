"""What every engine promises (`homeport/execution/engines/__init__.py`), as tests to be inherited.

A subclass gives `engine`, `placement` and `dies`; its tests are these, and what only that engine has.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from homeport.contract.runner_protocol import EnvironmentLaunch
from homeport.execution.engines import Engine, Phase, Placement, Seen, Stored

from ..builders import until

STRANGE = "hp-never-heard-of-1"


def seen(engine: Engine, attempt: str) -> Seen:
    return engine.observe([attempt])[attempt]


class EnginePromises:
    """`dies` makes a runner end without a word."""

    def test_an_engine_that_can_place_runs_opens_again_and_again(self, engine: Engine) -> None:
        engine.open()
        engine.open()

    def test_it_says_whose_attempts_it_sees(self, engine: Engine) -> None:
        engine.open()
        assert engine.node == engine.node
        assert 0 < len(engine.node) <= 64

    def test_a_submitted_attempt_is_seen_started(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        found = seen(engine, placement.attempt)
        assert (found.attempt, found.phase, found.process_gone) == (placement.attempt, Phase.STARTED, False)

    def test_submitting_again_starts_no_second_runner(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        engine.submit(Placement(placement.attempt, placement.server_url, "another ticket"))
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    def test_every_attempt_asked_for_is_answered(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        found = engine.observe([placement.attempt, STRANGE])
        assert {name: look.phase for name, look in found.items()} == {
            placement.attempt: Phase.STARTED,
            STRANGE: Phase.ABSENT,
        }
        assert found[STRANGE].process_gone
        assert engine.observe([]) == {}

    def test_a_killed_attempt_has_ended_with_all_its_processes(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        engine.kill(placement.attempt)
        until(lambda: seen(engine, placement.attempt).process_gone)
        found = seen(engine, placement.attempt)
        assert found.phase is Phase.ENDED
        assert found.reason

    def test_a_runner_that_dies_is_noticed(
        self, engine: Engine, placement: Placement, dies: Callable[[str], None]
    ) -> None:
        engine.submit(placement)
        dies(placement.attempt)
        until(lambda: seen(engine, placement.attempt).phase is Phase.ENDED)
        assert seen(engine, placement.attempt).process_gone

    def test_an_attempt_whose_runner_died_can_be_submitted_again(
        self, engine: Engine, placement: Placement, dies: Callable[[str], None]
    ) -> None:
        engine.submit(placement)
        dies(placement.attempt)
        until(lambda: seen(engine, placement.attempt).phase is Phase.ENDED)
        engine.submit(placement)
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    def test_killing_and_forgetting_may_come_early_late_and_twice(
        self, engine: Engine, placement: Placement
    ) -> None:
        for _ in range(2):
            engine.kill(placement.attempt)
            engine.forget(placement.attempt)
        engine.submit(placement)
        for _ in range(2):
            engine.kill(placement.attempt)
        until(lambda: seen(engine, placement.attempt).process_gone)
        for _ in range(2):
            engine.forget(placement.attempt)
        assert seen(engine, placement.attempt).phase is Phase.ABSENT

    def test_what_was_forgotten_is_not_known(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        assert engine.known() == {placement.attempt}
        engine.kill(placement.attempt)
        until(lambda: seen(engine, placement.attempt).process_gone)
        engine.forget(placement.attempt)
        assert engine.known() == set()

    def test_a_living_attempt_is_not_forgotten(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        engine.forget(placement.attempt)
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    def test_it_has_words_or_none_for_any_attempt(self, engine: Engine) -> None:
        assert engine.diagnose(STRANGE) == ""

    def test_it_has_lines_or_none_of_any_attempt(self, engine: Engine, placement: Placement) -> None:
        assert engine.unsent(STRANGE, 0, 10, None) == []
        engine.submit(placement)
        assert engine.unsent(placement.attempt, 1_000_000, 10, None) == []

    def test_it_offers_the_python_that_is_here(self, engine: Engine) -> None:
        assert engine.offers_python(f"{sys.version_info.major}.{sys.version_info.minor}")

    def test_preparing_may_be_repeated_and_keeps_no_run_from_starting(
        self, engine: Engine, placement: Placement
    ) -> None:
        engine.open()
        wanted = EnvironmentLaunch(key="never-there", python_version="3.99", requirements=[], notes=[])
        assert engine.prepare(wanted, [])
        until(lambda: engine.prepare(wanted, []))
        engine.submit(placement)
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    def test_collecting_may_come_at_any_time_and_takes_nothing_from_the_living(
        self, engine: Engine, placement: Placement
    ) -> None:
        long_after = datetime.now(UTC) + timedelta(days=365)
        assert engine.collect(long_after) == []
        engine.submit(placement)
        engine.collect(long_after)
        assert seen(engine, placement.attempt).phase is Phase.STARTED

    def test_what_is_not_there_holds_nothing(self, engine: Engine) -> None:
        assert engine.storages() == set()
        assert list(engine.measure("nobodys/prod"))[-1] == Stored(0, 0)

    def test_closing_ends_no_attempt(self, engine: Engine, placement: Placement) -> None:
        engine.submit(placement)
        engine.close()
        assert seen(engine, placement.attempt).phase is Phase.STARTED
