"""What a deploy changes: the jobs that are there, compared with those wanted (wire contract §9, §16).

Only the comparison. Writing versions, recomputing next ticks and firing `deployment:` belong to others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from homeport.errors import BadRequest


class JobDeployOutcome(StrEnum):
    """What a deploy did with a job, in the words of the wire (a closed list there)."""

    CREATED = "created"
    """Not known before in this workspace."""

    UPDATED = "updated"
    """Its definition changed, or it was archived and is live again."""

    UNCHANGED = "unchanged"
    """Same definition; keeps its version."""

    ARCHIVED = "archived"
    """Deployed from this module before and absent now: triggers off, history kept."""


@dataclass(frozen=True, slots=True)
class DeployedJob:
    """A job as the workspace has it."""

    job_ref: str
    definition_hash: str
    """Hash of the current definition, engine migration and normalisation done."""
    deployment_module: str | None
    """The module that owns it; none when it only ever came from an ad-hoc deploy."""
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class WantedJob:
    """A job as the manifest has it."""

    job_ref: str
    definition_hash: str


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one job. Unchanged ones are listed too: receipts name them, and owners may change."""

    job_ref: str
    outcome: JobDeployOutcome
    definition_hash: str
    """The hash after the deploy; an archived job keeps the one it had."""
    deployment_module: str | None
    """The owner after the deploy."""
    is_new_version: bool
    """True when a version row is due. An archived job that comes back as it was is `updated` without one."""
    is_unarchived: bool = False


def reconcile(
    deployed: Iterable[DeployedJob], wanted: Iterable[WantedJob], deployment_module: str | None
) -> list[Change]:
    """The changes that turn `deployed` into `wanted`: the wanted jobs in their order, then the archived ones.

    A `deployment_module` of none is an ad-hoc deploy: it adds and updates, archives nothing and takes no job
    from the module that owns it.
    """
    known = {job.job_ref: job for job in deployed}
    present: set[str] = set()
    changes: list[Change] = []
    for job in wanted:
        if job.job_ref in present:
            raise BadRequest(
                f"{job.job_ref} is in this deploy twice: a job's reference is its identity; rename one of the two."
            )
        present.add(job.job_ref)
        changes.append(_change_of(known.get(job.job_ref), job, deployment_module))
    gone = [job for job in known.values() if job.job_ref not in present]
    return changes + [_archive(job) for job in gone if _is_archived_by(job, deployment_module)]


def _change_of(before: DeployedJob | None, job: WantedJob, module: str | None) -> Change:
    if before is None:
        return Change(job.job_ref, JobDeployOutcome.CREATED, job.definition_hash, module, True)
    is_changed = before.definition_hash != job.definition_hash
    is_updated = is_changed or before.is_archived
    return Change(
        job.job_ref,
        JobDeployOutcome.UPDATED if is_updated else JobDeployOutcome.UNCHANGED,
        job.definition_hash,
        # A named module takes the job over: else the next deploy of the former owner would archive it.
        module if module is not None else before.deployment_module,
        is_new_version=is_changed,
        is_unarchived=before.is_archived,
    )


def _is_archived_by(job: DeployedJob, module: str | None) -> bool:
    return module is not None and job.deployment_module == module and not job.is_archived


def _archive(job: DeployedJob) -> Change:
    return Change(
        job.job_ref,
        JobDeployOutcome.ARCHIVED,
        job.definition_hash,
        job.deployment_module,
        is_new_version=False,
    )
