"""Refresh: who starts from scratch, and why."""

import pytest

from homeport.scheduling.refresh import Cascade, RefreshCause, RefreshPropagation, resolve_refresh

ALWAYS, AUTO, BLOCK = RefreshPropagation.ALWAYS, RefreshPropagation.AUTO, RefreshPropagation.BLOCK


@pytest.mark.parametrize(
    ("policy", "facts", "cause"),
    [
        (AUTO, {}, None),
        (AUTO, {"is_asked": True}, RefreshCause.ASKED),
        (AUTO, {"is_pending": True}, RefreshCause.CASCADE),
        (AUTO, {"is_first_run": True}, RefreshCause.FIRST_RUN),
        (AUTO, {"is_asked": True, "is_pending": True, "is_first_run": True}, RefreshCause.ASKED),
        (ALWAYS, {}, RefreshCause.ALWAYS),
        (ALWAYS, {"is_asked": True}, RefreshCause.ALWAYS),
        (BLOCK, {"is_asked": True}, None),
        (BLOCK, {"is_pending": True, "is_first_run": True}, None),
    ],
)
def test_the_policy_of_the_job_has_the_last_word(
    policy: RefreshPropagation, facts: dict[str, bool], cause: RefreshCause | None
) -> None:
    decision = resolve_refresh("jobs.a", policy, **facts)
    assert (decision.cause, decision.is_refresh) == (cause, cause is not None)


def test_who_asks_a_blocking_job_is_told_that_it_had_no_effect() -> None:
    warning = resolve_refresh("jobs.shop.load", BLOCK, is_asked=True).warning
    assert warning == "--refresh ignored: job 'shop.load' declares refresh_propagation=block"
    assert resolve_refresh("jobs.shop.load", BLOCK).warning is None


# a → b → c, a → d (block) → e, c and a → f
FRESHNESS = {
    "jobs.a": [],
    "jobs.b": ["job.is_fresh:jobs.a"],
    "jobs.d": ["job.is_fresh:jobs.a"],
    "jobs.f": ["job.is_fresh:jobs.c", "job.is_fresh:jobs.a"],
    "jobs.c": ["job.is_fresh:jobs.b"],
    "jobs.e": ["job.is_fresh:jobs.d"],
}


def test_a_cascade_goes_around_a_blocking_job_and_not_through_it() -> None:
    assert Cascade(FRESHNESS, {"jobs.d": BLOCK}).targets("jobs.a") == ["jobs.b", "jobs.f", "jobs.c"]


def test_the_policy_of_the_root_is_not_asked() -> None:
    assert Cascade(FRESHNESS, {"jobs.d": BLOCK}).targets("jobs.d") == ["jobs.e"]
