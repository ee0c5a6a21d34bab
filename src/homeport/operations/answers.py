"""Rows of the store as the API shows them (wire contract §11)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from homeport.config import Settings
from homeport.contract.identity import (
    OrganizationResponse,
    WorkspaceMemberResponse,
    WorkspaceResponse,
)
from homeport.contract.jobs import DetailedJobResponse, JobResponse, JobVersionResponse
from homeport.contract.packages import ConfigurationResponse, DeploymentResponse
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.contract.runs import DownstreamJobRunResponse, JobRunResponse, PipelineRunSummaryResponse
from homeport.execution.launches import limits_of
from homeport.operations import app_addresses, neighbours
from homeport.operations.platform import Platform
from homeport.scheduling.instances import named_size, size_of
from homeport.store import job_triggers, jobs, organizations, packages, run_starts, runs, workspaces
from homeport.store.schema import Tx


def organization(found: organizations.Organization) -> OrganizationResponse:
    return OrganizationResponse.model_validate(found)


def workspace(found: workspaces.Workspace, base_url: str) -> WorkspaceResponse:
    return WorkspaceResponse(**found.__dict__, dataplane_url=base_url)


def workspace_member(found: workspaces.WorkspaceMember) -> WorkspaceMemberResponse:
    return WorkspaceMemberResponse.model_validate(
        {**found.__dict__, "organization_membership_id": found.member_id}
    )


def deployment(found: packages.Package) -> DeploymentResponse:
    return DeploymentResponse.model_validate({**found.__dict__, "updated_at": found.created_at})


def configuration(found: packages.Package) -> ConfigurationResponse:
    return ConfigurationResponse.model_validate({**found.__dict__, "updated_at": found.created_at})


def job(current: jobs.CurrentJob, next_at: datetime | None, platform: Platform) -> JobResponse:
    return JobResponse(**_job_fields(current, next_at, platform))


@dataclass(frozen=True)
class Attached:
    """What is asked to be shown beside jobs or runs; none: nothing."""

    recent_limit: int | None = None
    downstream_limit: int | None = None
    downstream_category: str | None = None

    def downstream(self, tx: Tx, run_ids: Collection[UUID]) -> dict[UUID, list[DownstreamJobRunResponse]]:
        return neighbours.downstream(tx, run_ids, self.downstream_limit or 0, self.downstream_category)


NOTHING = Attached()


def detailed_jobs(
    tx: Tx, found: Sequence[jobs.CurrentJob], platform: Platform, attached: Attached = NOTHING
) -> list[DetailedJobResponse]:
    ids = {current.job.id for current in found}
    latest = runs.latest_of(tx, ids)
    latest_ids = {item.id for item in latest.values()}
    summaries = neighbours.summaries(tx, latest_ids)
    recent = neighbours.recent(tx, ids, attached.recent_limit or 0)
    downstream = attached.downstream(tx, latest_ids)
    next_at = job_triggers.next_at_by_job(tx, ids)
    return [
        DetailedJobResponse(
            **_job_fields(current, next_at.get(current.job.id), platform),
            current_version=job_version(current.job.job_ref, current.version, platform.settings),
            latest_job_run=None if last is None else run(last, summaries.get(last.id, ())),
            recent_job_runs=None if attached.recent_limit is None else recent.get(current.job.id, []),
            downstream_job_runs=None
            if attached.downstream_limit is None
            else downstream.get(last.id, [])
            if last
            else [],
        )
        for current in found
        for last in [latest.get(current.job.id)]
    ]


def job_version(job_ref: str, version: jobs.JobVersion, settings: Settings) -> JobVersionResponse:
    limits = limits_of(version.definition, settings.default_timeout_seconds, settings.default_grace_seconds)
    size = size_of(named_size(version.definition), settings.default_instance)
    return JobVersionResponse(
        **_version_fields(version),
        id=version.id,
        job_id=version.job_id,
        job_ref=job_ref,
        max_run_time_seconds=limits.max_run_time_seconds,
        instance_size=size.name if size else None,
        vcpu=size.vcpus if size else None,
        memory_mib=size.memory_bytes // 1024**2 if size else None,
        created_by=version.created_by,
        created_at=version.created_at,
        updated_at=version.created_at,
    )


def run(found: runs.Run, summaries: Sequence[PipelineRunSummaryResponse] = ()) -> JobRunResponse:
    return JobRunResponse(**_run_fields(found), pipeline_run_summaries=list(summaries))


def detailed_runs(
    tx: Tx, found: Sequence[runs.Run], platform: Platform, attached: Attached = NOTHING
) -> list[DetailedJobRunResponse]:
    """Runs with their jobs and versions, in a fixed number of queries."""
    current = {item.job.id: item for item in jobs.by_ids(tx, {run.job_id for run in found})}
    # most runs are of their job's current version, which has been read already
    versions = {item.version.id: item.version for item in current.values()}
    versions |= jobs.versions_by_id(tx, {run.job_version_id for run in found} - set(versions))
    next_at = job_triggers.next_at_by_job(tx, set(current))
    ids = {run.id for run in found}
    summaries, downstream = neighbours.summaries(tx, ids), attached.downstream(tx, ids)
    return [
        DetailedJobRunResponse(
            **_run_fields(run),
            job=job(current[run.job_id], next_at.get(run.job_id), platform),
            job_version=job_version(
                current[run.job_id].job.job_ref, versions[run.job_version_id], platform.settings
            ),
            pipeline_run_summaries=summaries.get(run.id, []),
            downstream_job_runs=None if attached.downstream_limit is None else downstream.get(run.id, []),
        )
        for run in found
    ]


def one_detailed_run(tx: Tx, found: runs.Run, platform: Platform) -> DetailedJobRunResponse:
    return detailed_runs(tx, [found], platform)[0]


def _job_fields(current: jobs.CurrentJob, next_at: datetime | None, platform: Platform) -> dict[str, Any]:
    found = current.job
    return {
        **_version_fields(current.version),
        "id": found.id,
        "workspace_id": found.workspace_id,
        "job_ref": found.job_ref,
        "deployment_module": found.deployment_module,
        "is_archived": found.archived_at is not None,
        "is_paused": found.paused_at is not None,
        "next_scheduled_run_at": next_at,
        "job_url": app_url(current, platform),
        "public_secret": found.public_secret,
        "public_url": public_url(found, platform),
        "created_by": found.created_by,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def public_url(job: jobs.Job, platform: Platform) -> str | None:
    """The link that needs no sign-in; none unless it was published."""
    return None if job.public_secret is None else f"{platform.url}/p/{job.public_secret}"


def app_url(current: jobs.CurrentJob, platform: Platform) -> str | None:
    """Where its app is; none where it has none."""
    name = current.job.app_name
    if name is None or current.version.job_type != "interactive":
        return None
    return platform.apps.url_of(name) + app_addresses.path_hint(current.version.definition)


def _version_fields(version: jobs.JobVersion) -> dict[str, Any]:
    """What a job shows of its current version, and a version of itself."""
    definition = version.definition
    declared = run_starts.declared_interval(definition, version.zone)
    return {
        "job_type": version.job_type,
        "name": definition.get("expose", {}).get("display_name"),
        "description": definition.get("description"),
        "version": version.version,
        "profile": version.profile,
        "job_definition": definition,
        "job_definition_engine_version": version.engine_version,
        "job_definition_hash": version.definition_hash,
        "deployment_module": version.deployment_module,
        "default_trigger": version.default_trigger,
        "triggers": version.triggers,
        "freshness": definition.get("freshness") or [],
        "interval_start": declared.start if declared else None,
        "interval_end": declared.end if declared else None,
        "pipeline_name": definition.get("deliver", {}).get("pipeline_name"),
    }


def _run_fields(found: runs.Run) -> dict[str, Any]:
    return {
        **{name: getattr(found, name) for name in _RUN_FIELDS},
        "previous_job_run_id": found.previous_run_id,
        "duration_seconds": found.seconds(),
        "logs_url": None,
    }


_RUN_FIELDS: Iterable[str] = (
    "id",
    "workspace_id",
    "job_version_id",
    "deployment_id",
    "configuration_id",
    "number",
    "status",
    "trigger",
    "profile",
    "triggered_by",
    "created_at",
    "started_at",
    "finished_at",
    "updated_at",
    "interval_start",
    "interval_end",
)
