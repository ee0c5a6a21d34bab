"""The control API: who, workspaces, versions, jobs, runs (wire contract §8.1)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from homeport.api.asking import ByAccessToken, ByKey
from homeport.contract.base import Page
from homeport.contract.identity import (
    CreateWorkspaceRequest,
    DataplaneList,
    DataplaneResponse,
    DataplaneToken,
    MeResponse,
    OrganizationMeResponse,
    OrganizationResponse,
    OrganizationWorkspaceResponse,
    SetRegionOrganizationRequest,
    UpdateWorkspaceRequest,
    WorkspaceMemberResponse,
    WorkspaceMeResponse,
    WorkspaceResponse,
)
from homeport.contract.jobs import (
    DeployWorkspaceRequest,
    DeployWorkspaceResponse,
    DetailedJobResponse,
    JobResponse,
    TriggerJobsRequest,
    TriggerJobsResponse,
)
from homeport.contract.lists import (
    JobRunsQuery,
    JobsQuery,
    MembersQuery,
    OrganizationsQuery,
    VersionsQuery,
    WorkspacesQuery,
)
from homeport.contract.packages import (
    ConfigurationResponse,
    DeploymentResponse,
    IssuedConfigurationUpload,
    IssuedDeploymentUpload,
    PackageKind,
)
from homeport.contract.run_attempts import JobRunAttemptsResponse
from homeport.contract.run_details import DetailedJobRunResponse
from homeport.contract.runs import (
    CancelJobRunsRequest,
    CancelJobRunsResponse,
    CreateJobRunRequest,
)
from homeport.contract.storage import WorkspaceStorageResponse
from homeport.operations import (
    answers,
    cancel_runs,
    change_jobs,
    change_workspaces,
    homes,
    looking,
    start_runs,
    storage,
    uploads,
    versions,
    workspaces,
)
from homeport.operations import deploy as deploying
from homeport.operations.paging import page_of


def me(asking: ByAccessToken) -> MeResponse:
    """Only people who logged in have this; API keys do not (wire contract §4.1)."""
    return homes.me(asking.platform, asking.principal, asking.base_url)


def list_organizations(asking: ByKey, query: Annotated[OrganizationsQuery, Query()]) -> Page[OrganizationResponse]:
    return workspaces.list_organizations(asking.platform, asking.principal, query)


def get_organization(asking: ByKey, organization_id: UUID) -> OrganizationResponse:
    return workspaces.get_organization(asking.platform, asking.principal, organization_id)


def organization_me(asking: ByKey, organization_id: UUID) -> OrganizationMeResponse:
    return workspaces.organization_me(asking.platform, asking.principal, organization_id, asking.base_url)


def set_region(
    asking: ByKey, organization_id: UUID, request: SetRegionOrganizationRequest
) -> OrganizationResponse:
    return workspaces.set_region(asking.platform, asking.principal, organization_id, request)


def list_dataplanes(asking: ByKey) -> DataplaneList:
    return DataplaneList(items=[DataplaneResponse()])


def list_workspaces(
    asking: ByKey, organization_id: UUID, query: Annotated[WorkspacesQuery, Query()]
) -> Page[OrganizationWorkspaceResponse]:
    return workspaces.list_workspaces(asking.platform, asking.principal, organization_id, query, asking.base_url)


def create_workspace(asking: ByKey, organization_id: UUID, request: CreateWorkspaceRequest) -> WorkspaceResponse:
    return workspaces.create_workspace(
        asking.platform, asking.principal, organization_id, request, asking.base_url
    )


def get_workspace(asking: ByKey, workspace_id: UUID) -> WorkspaceResponse:
    return workspaces.get_workspace(asking.platform, asking.principal, workspace_id, asking.base_url)


def update_workspace(asking: ByKey, workspace_id: UUID, request: UpdateWorkspaceRequest) -> WorkspaceResponse:
    return change_workspaces.update(asking.platform, asking.principal, workspace_id, request, asking.base_url)


def archive_workspace(asking: ByKey, workspace_id: UUID) -> WorkspaceResponse:
    return change_workspaces.archive(asking.platform, asking.principal, workspace_id, asking.base_url)


def unarchive_workspace(asking: ByKey, workspace_id: UUID) -> WorkspaceResponse:
    return change_workspaces.unarchive(asking.platform, asking.principal, workspace_id, asking.base_url)


def workspace_storage(asking: ByKey, workspace_id: UUID) -> WorkspaceStorageResponse:
    return storage.show(asking.platform, asking.principal, workspace_id)


def workspace_me(asking: ByKey, workspace_id: UUID) -> WorkspaceMeResponse:
    return workspaces.workspace_me(asking.platform, asking.principal, workspace_id, asking.base_url)


def list_members(
    asking: ByKey, workspace_id: UUID, query: Annotated[MembersQuery, Query()]
) -> Page[WorkspaceMemberResponse]:
    return workspaces.list_members(asking.platform, asking.principal, workspace_id, query)


def issue_dataplane_token(asking: ByKey, workspace_id: UUID) -> DataplaneToken:
    return workspaces.issue_dataplane_token(asking.platform, asking.principal, workspace_id)


def deploy(asking: ByKey, workspace_id: UUID, request: DeployWorkspaceRequest) -> DeployWorkspaceResponse:
    return deploying.deploy(asking.platform, asking.principal, workspace_id, request)


def issue_deployment_upload(asking: ByKey, workspace_id: UUID) -> IssuedDeploymentUpload:
    package_id, url, token = _issue_upload(asking, workspace_id, "deployments")
    return IssuedDeploymentUpload(deployment_id=package_id, upload_url=url, upload_token=token)


def issue_configuration_upload(asking: ByKey, workspace_id: UUID) -> IssuedConfigurationUpload:
    package_id, url, token = _issue_upload(asking, workspace_id, "configurations")
    return IssuedConfigurationUpload(configuration_id=package_id, upload_url=url, upload_token=token)


def _issue_upload(asking: ByKey, workspace_id: UUID, kind: PackageKind) -> tuple[UUID, str, str]:
    package_id, token = uploads.issue(asking.platform, asking.principal, workspace_id, kind)
    # the client accepts this path and no other (wire contract §6)
    url = f"{asking.base_url}/api/v1/workspaces/{workspace_id}/{kind}/{package_id}/-upload"
    return package_id, url, token


def latest_deployment(asking: ByKey, workspace_id: UUID) -> DeploymentResponse:
    return answers.deployment(versions.latest(asking.platform, asking.principal, workspace_id, "deployments"))


def latest_configuration(asking: ByKey, workspace_id: UUID) -> ConfigurationResponse:
    return answers.configuration(
        versions.latest(asking.platform, asking.principal, workspace_id, "configurations")
    )


def get_deployment(asking: ByKey, workspace_id: UUID, package_id: UUID) -> DeploymentResponse:
    return answers.deployment(
        versions.get(asking.platform, asking.principal, workspace_id, "deployments", package_id)
    )


def get_configuration(asking: ByKey, workspace_id: UUID, package_id: UUID) -> ConfigurationResponse:
    return answers.configuration(
        versions.get(asking.platform, asking.principal, workspace_id, "configurations", package_id)
    )


def list_deployments(
    asking: ByKey, workspace_id: UUID, query: Annotated[VersionsQuery, Query()]
) -> Page[DeploymentResponse]:
    found, total, cursor = versions.page(asking.platform, asking.principal, workspace_id, "deployments", query)
    return page_of([answers.deployment(item) for item in found], total, query, cursor)


def list_configurations(
    asking: ByKey, workspace_id: UUID, query: Annotated[VersionsQuery, Query()]
) -> Page[ConfigurationResponse]:
    found, total, cursor = versions.page(asking.platform, asking.principal, workspace_id, "configurations", query)
    return page_of([answers.configuration(item) for item in found], total, query, cursor)


def list_jobs(
    asking: ByKey, workspace_id: UUID, query: Annotated[JobsQuery, Query()]
) -> Page[DetailedJobResponse]:
    return looking.list_jobs(asking.platform, asking.principal, workspace_id, query)


def get_job(
    asking: ByKey,
    workspace_id: UUID,
    job_id: UUID,
    recent_job_runs_limit: Annotated[int | None, Query(ge=0, le=100)] = None,
) -> DetailedJobResponse:
    return looking.get_job(asking.platform, asking.principal, workspace_id, job_id, recent_job_runs_limit)


def pause_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.pause(asking.platform, asking.principal, workspace_id, job_id)


def resume_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.resume(asking.platform, asking.principal, workspace_id, job_id)


def archive_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.archive(asking.platform, asking.principal, workspace_id, job_id)


def unarchive_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.unarchive(asking.platform, asking.principal, workspace_id, job_id)


def publish_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.publish(asking.platform, asking.principal, workspace_id, job_id)


def unpublish_job(asking: ByKey, workspace_id: UUID, job_id: UUID) -> JobResponse:
    return change_jobs.unpublish(asking.platform, asking.principal, workspace_id, job_id)


def trigger_jobs(asking: ByKey, workspace_id: UUID, request: TriggerJobsRequest) -> TriggerJobsResponse:
    return start_runs.trigger_jobs(asking.platform, asking.principal, workspace_id, request)


def list_runs(
    asking: ByKey, workspace_id: UUID, query: Annotated[JobRunsQuery, Query()]
) -> Page[DetailedJobRunResponse]:
    return looking.list_runs(asking.platform, asking.principal, workspace_id, query)


def create_run(
    asking: ByKey, workspace_id: UUID, request: CreateJobRunRequest, response: Response
) -> DetailedJobRunResponse:
    run, is_new = start_runs.start_run(asking.platform, asking.principal, workspace_id, request)
    response.status_code = 201 if is_new else 200
    return run


def get_run(asking: ByKey, workspace_id: UUID, run_id: UUID) -> DetailedJobRunResponse:
    return looking.get_run(asking.platform, asking.principal, workspace_id, run_id)


def get_attempts(asking: ByKey, workspace_id: UUID, run_id: UUID) -> JobRunAttemptsResponse:
    return looking.get_attempts(asking.platform, asking.principal, workspace_id, run_id)


def cancel_run(asking: ByKey, workspace_id: UUID, run_id: UUID) -> DetailedJobRunResponse:
    return cancel_runs.cancel_run(asking.platform, asking.principal, workspace_id, run_id)


def cancel_many_runs(asking: ByKey, workspace_id: UUID, request: CancelJobRunsRequest) -> CancelJobRunsResponse:
    return cancel_runs.cancel_runs(asking.platform, asking.principal, workspace_id, request)
