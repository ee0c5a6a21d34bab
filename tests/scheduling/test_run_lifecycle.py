"""The lifecycle table: who may go where, and the sets that follow from it."""

from itertools import pairwise

import pytest

from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import (
    ACTIVE,
    CANCELLABLE,
    FAILURES,
    PLACED,
    TERMINAL,
    TRANSITIONS,
    EndCause,
    RunStatus,
    Transition,
    cancel_of,
)

TABLE = {
    "submit": ("pending", "starting", None),
    "begin": ("starting", "running", None),
    "retry": ("starting running", "pending", None),
    "succeed": ("running cancelling", "completed", "exited"),
    "fail": ("running cancelling", "failed", "exited"),
    "never_serve": ("starting", "failed", "exited"),
    "fail_launch": ("pending starting", "failed", "launch_failed"),
    "fail_setup": ("starting", "failed", "setup_failed"),
    "lose": ("starting running cancelling", "failed", "lost"),
    "ask_cancel": ("starting running", "cancelling", None),
    "cancel_pending": ("pending", "cancelled", "cancelled"),
    "finish_cancel": ("cancelling", "cancelled", "cancelled"),
    "time_out": ("running cancelling", "cancelled", "timed_out"),
}


def test_the_table_is_this_and_nothing_else() -> None:
    found = {
        t.name: (" ".join(s for s in RunStatus if s in t.sources), t.target, t.cause) for t in TRANSITIONS.values()
    }
    assert found == TABLE
    assert all(name == transition.name for name, transition in TRANSITIONS.items())


def test_the_derived_sets_are_those_of_the_wire() -> None:
    assert {"completed", "failed", "cancelled", "skipped"} == TERMINAL
    assert {"pending", "starting", "running", "cancelling"} == ACTIVE
    assert {"pending", "starting", "running"} == CANCELLABLE
    assert {"failed", "cancelled"} == FAILURES
    assert {"starting", "running", "cancelling"} == PLACED


@pytest.mark.parametrize("transition", TRANSITIONS.values(), ids=TRANSITIONS)
def test_a_step_moves_on_and_has_a_cause_exactly_when_it_ends_the_run(transition: Transition) -> None:
    assert transition.target not in transition.sources
    assert not transition.sources & TERMINAL
    assert (transition.cause is not None) is (transition.target in TERMINAL)


def test_every_cause_has_a_step_and_every_end_but_skipped_can_be_reached() -> None:
    assert {t.cause for t in TRANSITIONS.values() if t.cause} == set(EndCause)
    assert {t.target for t in TRANSITIONS.values()} & TERMINAL == TERMINAL - {RunStatus.SKIPPED}


def test_a_run_goes_through_its_life_in_order() -> None:
    life = [lifecycle.SUBMIT, lifecycle.BEGIN, lifecycle.ASK_CANCEL, lifecycle.FINISH_CANCEL]
    assert all(later.applies_to(earlier.target) for earlier, later in pairwise(life))


def test_an_exit_that_crossed_a_cancel_is_the_exit_that_it_was() -> None:
    assert lifecycle.SUCCEED.applies_to(RunStatus.CANCELLING)
    assert lifecycle.FAIL.applies_to(RunStatus.CANCELLING)


@pytest.mark.parametrize("status", RunStatus)
def test_what_a_request_to_cancel_does_depends_on_where_the_run_is(status: RunStatus) -> None:
    expected = {"pending": "cancel_pending", "starting": "ask_cancel", "running": "ask_cancel"}
    step = cancel_of(status)
    assert (step.name if step else None) == expected.get(status)
    assert (step is not None) is (status in CANCELLABLE)
