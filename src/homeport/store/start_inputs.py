"""What starts are decided from: read for any number of jobs with a statement for each kind of fact, and carried on
from one decision of the transaction to the next, as those before it leave it.

Whoever reads holds the jobs (`jobs.lock_all`), so that what was read stays true until it is acted upon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from uuid import UUID

from homeport.scheduling.freshness import Upstream, parse_freshness
from homeport.scheduling.refresh import Cascade, RefreshPropagation
from homeport.store import jobs, packages, runs, workspaces
from homeport.store.schema import Tx

_Key = tuple[UUID, str]
"""Workspace and job ref."""


class StartInputs:
    """Some jobs, held by the caller, and what a start of them hangs on."""

    def __init__(self, tx: Tx, held: Mapping[UUID, jobs.CurrentJob]) -> None:
        self._tx = tx
        self._key_of = {job_id: _key(current) for job_id, current in held.items()}
        self._workspace_ids = {workspace_id for workspace_id, _ in self._key_of.values()}
        self._jobs = {_key(current): current for current in held.values()}
        upstreams = {key for current in held.values() for key in _upstream_keys(current)}
        self._jobs |= jobs.by_keys(tx, upstreams - self._jobs.keys())
        self._live = workspaces.live(tx, self._workspace_ids)
        self._cascades: dict[UUID, Cascade] = {}
        self._active: dict[UUID, list[runs.Run]] = {job_id: [] for job_id in held}
        for run in runs.active_of_each(tx, held):
            self._active[run.job_id].append(run)

    def current(self, job_id: UUID) -> jobs.CurrentJob:
        return self._jobs[self._key_of[job_id]]

    def active(self, job_id: UUID) -> Sequence[runs.Run]:
        """Runs of a job that hold one of its slots, oldest first."""
        return self._active[job_id]

    def is_archived(self, workspace_id: UUID) -> bool:
        return workspace_id not in self._live

    def pins(self, workspace_id: UUID) -> packages.Pins:
        """The versions of code and configuration that a run of the workspace uses."""
        return self._pins[workspace_id]

    def upstreams(self, job_id: UUID) -> tuple[Upstream, ...]:
        """One for each of the job's freshness constraints, in their order."""
        workspace_id, _ = self._key_of[job_id]
        return tuple(
            _upstream(text, self._jobs.get((workspace_id, parse_freshness(text).job_ref)))
            for text in _freshness(self.current(job_id))
        )

    def refreshed_by(self, job_id: UUID) -> list[str]:
        """The jobs whose progress a refresh of this one makes void."""
        workspace_id, job_ref = self._key_of[job_id]
        if workspace_id not in self._cascades:
            live = jobs.dependencies(self._tx, workspace_id)
            self._cascades[workspace_id] = Cascade(
                {found.job_ref: found.freshness or () for found in live},
                {found.job_ref: RefreshPropagation(found.refresh_propagation or "auto") for found in live},
            )
        return self._cascades[workspace_id].targets(job_ref)

    def note_run(self, run: runs.Run) -> None:
        """A run that was decided takes a slot of its job."""
        self._active[run.job_id].append(run)
        self._change(self._key_of[run.job_id], last_run_number=run.number)

    def note_refresh(self, job_id: UUID, reached: Sequence[str]) -> None:
        """A refresh begins: its own progress and that of the jobs that it reaches is void."""
        self._change(self._key_of[job_id], completed_until=None)
        for job_ref in reached:
            self._change((self._key_of[job_id][0], job_ref), completed_until=None, refresh_pending=True)

    def _change(self, key: _Key, **columns: object) -> None:
        if key in self._jobs:
            before = self._jobs[key]
            self._jobs[key] = replace(before, job=replace(before.job, **columns))  # type: ignore[arg-type]

    @cached_property
    def _pins(self) -> dict[UUID, packages.Pins]:
        return packages.pins(self._tx, self._workspace_ids)


def _key(current: jobs.CurrentJob) -> _Key:
    return current.job.workspace_id, current.job.job_ref


def _freshness(current: jobs.CurrentJob) -> list[str]:
    return current.version.definition.get("freshness") or []


def _upstream_keys(current: jobs.CurrentJob) -> list[_Key]:
    return [(current.job.workspace_id, parse_freshness(text).job_ref) for text in _freshness(current)]


def _upstream(text: str, found: jobs.CurrentJob | None) -> Upstream:
    constraint = parse_freshness(text)
    if found is None:
        return Upstream(constraint, is_known=False)
    return Upstream(
        constraint,
        job_type=found.version.job_type,
        default_trigger=found.version.default_trigger,
        zone=found.version.zone,
        completed_until=found.job.completed_until,
        is_archived=found.job.archived_at is not None,
    )
