"""Whether a run starts from scratch, and whose progress it makes void (run contract §14.6).

A refresh is a signal and a cleared pointer. It never drops data by itself, and it starts no downstream.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from homeport.scheduling.freshness import by_upstream, transitive_downstream


class RefreshPropagation(StrEnum):
    """What a job does with the signal; `refresh_propagation` of its definition."""

    ALWAYS = "always"
    """Every run of it is a refresh."""
    AUTO = "auto"
    """Takes the signal and passes it on. What a definition means that says nothing."""
    BLOCK = "block"
    """Neither takes it nor passes it on."""


class RefreshCause(StrEnum):
    """Why a run carries the signal, kept to answer for it later."""

    ALWAYS = "always"
    """The job's policy."""
    ASKED = "asked"
    """Somebody asked for it with this start."""
    CASCADE = "cascade"
    """An upstream was refreshed since the last completed run."""
    FIRST_RUN = "first_run"
    """The job has never completed: there is nothing to build upon."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """The decision: a refresh when there is a cause. `warning` tells who asked that it had no effect."""

    cause: RefreshCause | None = None
    warning: str | None = None

    @property
    def is_refresh(self) -> bool:
        return self.cause is not None


def resolve_refresh(
    job_ref: str,
    propagation: RefreshPropagation,
    *,
    is_asked: bool = False,
    is_pending: bool = False,
    is_first_run: bool = False,
) -> Refresh:
    """Whether the next run of this job is a refresh, and why.

    `is_pending`: the job was among the cascade targets of an upstream's refresh and has not completed since.
    """
    if propagation is RefreshPropagation.ALWAYS:
        return Refresh(RefreshCause.ALWAYS)
    if propagation is RefreshPropagation.BLOCK:
        name = job_ref.removeprefix("jobs.")
        ignored = f"--refresh ignored: job '{name}' declares refresh_propagation=block"
        return Refresh(warning=ignored if is_asked else None)
    if is_asked:
        return Refresh(RefreshCause.ASKED)
    if is_pending:
        return Refresh(RefreshCause.CASCADE)
    return Refresh(RefreshCause.FIRST_RUN if is_first_run else None)


class Cascade:
    """Whose progress refreshes make void, in a workspace in which freshness and policies are these."""

    def __init__(
        self,
        freshness_by_job: Mapping[str, Iterable[str]],
        propagation_by_job: Mapping[str, RefreshPropagation],
    ) -> None:
        self._downstream = by_upstream(freshness_by_job)
        self._blocking = {ref for ref, policy in propagation_by_job.items() if policy is RefreshPropagation.BLOCK}

    def targets(self, job_ref: str) -> list[str]:
        """The other jobs whose progress a refresh of `job_ref` makes void, nearest first.

        A `block` job is left out and nothing is reached through it; the policy of `job_ref` itself is not asked.
        """
        return transitive_downstream(job_ref, self._downstream, severed=self._blocking)
