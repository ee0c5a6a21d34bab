"""Ending a run: the one transaction in which it is finished, its job's window moves on, and what comes after it
starts: ticks that waited for it, and follow-ups.

Completion is all or nothing: a server that dies in the middle leaves a run that is not over yet, and its runner
reports again.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from homeport import bells
from homeport.config import MAX_STARTS_PER_MINUTE
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.follow_ups import (
    STARTS_WINDOW,
    event_of,
    follow_ups,
    too_many_starts,
)
from homeport.scheduling.refresh import RefreshPropagation
from homeport.scheduling.retries import RETRIED, RetryPolicy, policy_of, wait_before_next
from homeport.scheduling.run_lifecycle import RunStatus, Transition
from homeport.scheduling.triggers import parse_trigger
from homeport.store import (
    attempts,
    declined_starts,
    job_triggers,
    jobs,
    packages,
    run_starts,
    runs,
    tick_decisions,
    workspaces,
)
from homeport.store.run_starts import Declined
from homeport.store.schema import Tx
from homeport.telemetry import events


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    transition: Transition
    detail: str | None = None
    exit_code: int | None = None
    usage: attempts.Usage = attempts.NOT_MEASURED


@dataclass(frozen=True)
class Ended:
    """What an ending changed."""

    run: runs.Run
    started: list[runs.Run] = field(default_factory=list)
    """Ticks that waited for it, and follow-ups: pending runs now."""
    not_started: dict[str, list[str]] = field(default_factory=dict)
    """Job ref to the reasons why its follow-up was declined."""
    next_attempt: str | None = None
    """The run is not over but tried again: which attempt follows, and when."""


def end(
    tx: Tx, run_id: UUID, ending: Ending, now: datetime, follow_ups_per_minute: int = MAX_STARTS_PER_MINUTE
) -> Ended | None:
    """End a run, or the attempt of a run that is tried again.

    None when it was over already, or not where this ending applies.
    """
    if (retried := _retry(tx, run_id, ending, now)) is not None:
        return retried
    changed = runs.apply(tx, run_id, ending.transition, now, end_detail=ending.detail, exit_code=ending.exit_code)
    if not changed:
        return None
    _end_attempt(tx, run_id, ending, now)
    run = runs.get(tx, run_id)
    assert run is not None
    version = jobs.version(tx, run.job_version_id)
    let_through: list[runs.Run] = []
    if run.status == RunStatus.COMPLETED:
        workspaces.lock(tx, run.workspace_id)  # nobody starts to wait for this run while it completes
        _move_window(tx, run, version)
        # before follow-ups: of a job that has both, the tick is the one that has the data's window
        let_through = _decide_waiting_ticks(tx, run, version, now)
    started, not_started = _start_follow_ups(tx, run, version, now, follow_ups_per_minute)
    return Ended(run, [*let_through, *started], not_started)


def _decide_waiting_ticks(tx: Tx, run: runs.Run, version: jobs.JobVersion, now: datetime) -> list[runs.Run]:
    """Runs of the scheduled ticks that waited for this job, and for nothing else."""
    decided = tick_decisions.decide_waiting(tx, run, str(version.definition["job_ref"]), now)
    return [tick.run for tick in decided if tick.run is not None]


def _retry(tx: Tx, run_id: UUID, ending: Ending, now: datetime) -> Ended | None:
    """The run goes back to wait for its next attempt; none when there is none, or somebody asked it to stop."""
    cause = ending.transition.cause
    if cause not in RETRIED or ending.transition.target not in lifecycle.FAILURES:
        return None
    run = runs.get(tx, run_id)
    if run is None or not ending.transition.applies_to(RunStatus(run.status)):
        return None
    policy = policy_of_run(tx, run)
    made = attempts.count(tx, run_id)
    wait = wait_before_next(policy, cause, made, run_id)
    if wait is None or not runs.apply(tx, run_id, lifecycle.RETRY, now, not_before=now + wait, waits_for=None):
        return None
    _end_attempt(tx, run_id, ending, now)
    after = runs.get(tx, run_id)
    assert after is not None
    when = "at once" if not wait else f"in {wait.total_seconds():.0f} s"
    return Ended(after, next_attempt=f"attempt {made + 1} of {policy.attempts} follows {when}")


def policy_of_run(tx: Tx, run: runs.Run) -> RetryPolicy:
    """As the configuration says that the run is pinned to."""
    definition = jobs.version(tx, run.job_version_id).definition
    return policy_of(definition, run.profile, packages.job_settings(tx, run.configuration_id))


def _end_attempt(tx: Tx, run_id: UUID, ending: Ending, now: datetime) -> None:
    cause = ending.transition.cause
    attempts.end(
        tx,
        run_id,
        now,
        end_cause=None if cause is None else str(cause),
        end_detail=ending.detail,
        exit_code=ending.exit_code,
        usage=ending.usage,
    )


def _move_window(tx: Tx, run: runs.Run, version: jobs.JobVersion) -> None:
    """The next window starts where this one ended (run contract §14.1).

    A point in time, such as a manual start, must not carry a scheduled job past ticks that nobody processed;
    for jobs without schedule any completion is what freshness asks for.
    """
    is_recurring = any(
        trigger.is_recurring for trigger in run_starts.timed_triggers(version.definition["triggers"])
    )
    moves = parse_trigger(run.trigger).is_recurring or not is_recurring
    jobs.complete(tx, run.job_id, run.interval_end if moves else None)
    if version.definition.get("refresh_propagation") == RefreshPropagation.ALWAYS:
        run_starts.refresh_direct_downstream(tx, run.workspace_id, version)


def _start_follow_ups(
    tx: Tx, run: runs.Run, version: jobs.JobVersion, now: datetime, per_minute: int
) -> tuple[list[runs.Run], dict[str, list[str]]]:
    """The runs that this end starts, and the reasons of those that it does not; these are kept too."""
    job_ref = str(version.definition["job_ref"])
    event = event_of(job_ref, RunStatus(run.status), version.job_type)
    if event is None:
        return [], {}
    held = jobs.lock_all(tx, job_triggers.jobs_fired_by(tx, run.workspace_id, event))
    if not held:
        return [], {}
    by_ref = {current.job.job_ref: current for current in held.values()}
    decision = follow_ups(
        job_ref,
        RunStatus(run.status),
        {ref: current.version.triggers for ref, current in by_ref.items()},
        depth=run.chain_depth,
        job_type=version.job_type,
    )
    started: list[runs.Run] = []
    not_started: dict[str, list[str]] = {}
    wanted = {follow_up.job_ref for follow_up in decision.starts}
    if decision.stopped_because is not None:
        wanted = by_ref.keys() - {job_ref}
    repeats = runs.count_repeats(tx, run, held, now - STARTS_WINDOW, exact_from=per_minute)
    starts = run_starts.Starts(tx, held)
    for ref, current in by_ref.items():
        if ref not in wanted:
            continue
        # a chain of runs that goes in a circle is stopped
        stop = decision.stopped_because or too_many_starts(ref, repeats[current.job.id], per_minute)
        if stop is None:
            decided = starts.decide(run_starts.Asked(current.job.id, event, now, previous=run))
            starts.take(decided)
            outcome = decided.outcome
        else:
            outcome = Declined(declined_starts.STORM, [stop])
        if isinstance(outcome, runs.Run):
            started.append(outcome)
        elif isinstance(outcome, Declined):
            not_started[ref] = outcome.reasons
            declined_starts.record(
                tx, run.workspace_id, current.job.id, event, outcome.status, outcome.reasons, now, run.id
            )
    starts.write()
    return started, not_started


def announce(bells_: bells.Bells, ended: Ended) -> None:
    """After the commit: wake its readers, and the starter for its follow-ups and for the place it had."""
    run = ended.run
    if ended.next_attempt is not None:
        events.emit(events.RUN_RETRIED, run=str(run.id), next=ended.next_attempt)
        bells_.ring(bells.log_of(run.id), bells.orders_for(run.id), bells.RUNS_PENDING)
        return
    events.emit(events.RUN_ENDED, run=str(run.id), status=run.status, cause=run.end_cause, detail=run.end_detail)
    for ref, reasons in ended.not_started.items():
        events.emit(events.RUN_NOT_STARTED, job=ref, after=str(run.id), reasons=reasons)
    bells_.ring(bells.log_of(run.id), bells.orders_for(run.id), bells.RUNS_PENDING)


def ending_of_exit(
    status: RunStatus, cause: str, exit_code: int | None, detail: str | None, *, serves: bool = False
) -> Ending:
    """The ending that a runner's exit report means for a run that is in `status`.

    `serves`: it is an app, which has no good end of its own accord (run contract §9).
    """
    if serves and cause in ("exited", "not_serving"):
        step = lifecycle.NEVER_SERVE if status is RunStatus.STARTING else lifecycle.FAIL
        return Ending(step, detail or _words_for(exit_code), exit_code)
    if cause == "out_of_memory":
        step = lifecycle.NEVER_SERVE if status is RunStatus.STARTING else lifecycle.FAIL
        return Ending(step, detail or "the run had more memory than its limit", exit_code)
    if cause == "exited":
        if exit_code == 0:
            return Ending(lifecycle.SUCCEED, detail, exit_code)
        return Ending(lifecycle.FAIL, detail or _words_for(exit_code), exit_code)
    if cause == "timed_out":
        return Ending(lifecycle.TIME_OUT, detail or "the run took longer than its limit", exit_code)
    if cause == "lost":
        return Ending(lifecycle.LOSE, detail or "the runner was told to stop", exit_code)
    if cause == "setup_failed" and status is RunStatus.STARTING:
        return Ending(lifecycle.FAIL_SETUP, detail or "the run's environment could not be made ready", exit_code)
    # cancelled, or a setup that failed because it was being cancelled
    return Ending(lifecycle.FINISH_CANCEL, detail or "cancelled", exit_code)


def _words_for(exit_code: int | None) -> str:
    if exit_code is None:
        return "the process ended without an exit status"
    if exit_code < 0:
        return f"the process was ended by signal {-exit_code}"
    return f"the process ended with exit code {exit_code}"
