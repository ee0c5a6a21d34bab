"""Which jobs start because a run has ended (run contract §13.6, §14.5).

Selectors such as `job.success:jobs.a.*` were expanded by the client when it wrote the manifest, so a job
event is matched as an exact string.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from homeport.scheduling.run_lifecycle import RunStatus
from homeport.scheduling.triggers import TriggerKind

MAX_CHAIN_DEPTH = 50
"""Follow-ups after the first run of a chain. Two agents on `job.fail:*` start each other without end; no
pipeline that somebody drew on purpose is this deep."""

STARTS_WINDOW = timedelta(minutes=1)

_EVENT_OF_END = {
    RunStatus.COMPLETED: TriggerKind.JOB_SUCCESS,
    RunStatus.FAILED: TriggerKind.JOB_FAIL,
    # Cancelled and skipped fire nothing: the run was not wanted, so neither is what would come after it.
}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A job to start, and the trigger it was declared with."""

    job_ref: str
    trigger: str


@dataclass(frozen=True, slots=True)
class FollowUps:
    """The jobs to start, in the order given; none, with `stopped_because`, when the chain is too long."""

    starts: tuple[FollowUp, ...] = ()
    stopped_because: str | None = None


def event_of(job_ref: str, status: RunStatus, job_type: str = "batch") -> str | None:
    """What a run of this job fires by ending so: `job.success:<ref>`, `job.fail:<ref>` or nothing."""
    kind = _EVENT_OF_END.get(status)
    if kind is None or job_type == "interactive":
        return None
    return f"{kind}:{job_ref}"


def follow_ups(
    job_ref: str,
    status: RunStatus,
    triggers_by_job: Mapping[str, Iterable[str]],
    *,
    depth: int = 0,
    job_type: str = "batch",
) -> FollowUps:
    """What starts after a run of `job_ref` that ended in `status`.

    `triggers_by_job` are the declared triggers of the live jobs; `depth` counts the runs before this one in
    the chain of `previous_job_run_id` (0 for a run that nothing preceded).
    """
    event = event_of(job_ref, status, job_type)
    starts = tuple(
        FollowUp(ref, event)
        for ref, triggers in triggers_by_job.items()
        # A job that follows itself is refused at deploy; were one stored nevertheless, it would never stop.
        if event is not None and ref != job_ref and event in triggers
    )
    if starts and depth >= MAX_CHAIN_DEPTH:
        names = ", ".join(start.job_ref for start in starts)
        return FollowUps(
            stopped_because=f"{names} not started after {job_ref}: the chain of runs is {depth + 1} long, and "
            f"{MAX_CHAIN_DEPTH} follow-ups are the limit; look for jobs whose job.success or job.fail "
            "triggers start each other."
        )
    return FollowUps(starts)


def too_many_starts(job_ref: str, starts: int, limit: int) -> str | None:
    """Why a job is not started once more after `starts` follow-ups of it within a minute in one chain, if so."""
    if starts < limit:
        return None
    return (
        f"{job_ref} not started: this chain of runs has started it {starts} times within a minute, and {limit} is "
        "the limit; look for jobs whose job.success or job.fail triggers start each other, or raise "
        "follow_ups_per_minute."
    )
