"""All routes of the API on one screen (wire contract §8, `src/homeport_runner/README.md`)."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from homeport.api import control, dataplane, health, later, runner, uploading

ORG = "/api/v1/organizations/{organization_id}"
WS = "/api/v1/workspaces/{workspace_id}"
LOGS = "/logs/v1/workspaces/{workspace_id}/job-runs/{run_id}"
ATTEMPT = "/runner/v1/attempts/{attempt_id}"

ROUTES: list[tuple[str, str, Callable[..., Any], int]] = [
    ("GET", "/healthz", health.healthz, 200),
    ("GET", "/readyz", health.readyz, 200),
    # control API
    ("GET", "/api/v1/me", control.me, 200),
    ("GET", "/api/v1/dataplanes", control.list_dataplanes, 200),
    ("GET", "/api/v1/organizations", control.list_organizations, 200),
    ("GET", ORG, control.get_organization, 200),
    ("GET", f"{ORG}/me", control.organization_me, 200),
    ("GET", f"{ORG}/workspaces", control.list_workspaces, 200),
    ("POST", f"{ORG}/workspaces", control.create_workspace, 201),
    ("GET", WS, control.get_workspace, 200),
    ("GET", f"{WS}/me", control.workspace_me, 200),
    ("GET", f"{WS}/members", control.list_members, 200),
    ("POST", f"{WS}/-issue-dataplane-token", control.issue_dataplane_token, 200),
    ("POST", f"{WS}/-deploy", control.deploy, 200),
    ("GET", f"{WS}/deployments", control.list_deployments, 200),
    ("GET", f"{WS}/deployments/latest", control.latest_deployment, 200),
    ("POST", f"{WS}/deployments/-issue-upload", control.issue_deployment_upload, 200),
    ("GET", f"{WS}/deployments/{{package_id}}", control.get_deployment, 200),
    ("GET", f"{WS}/configurations", control.list_configurations, 200),
    ("GET", f"{WS}/configurations/latest", control.latest_configuration, 200),
    ("POST", f"{WS}/configurations/-issue-upload", control.issue_configuration_upload, 200),
    ("GET", f"{WS}/configurations/{{package_id}}", control.get_configuration, 200),
    ("GET", f"{WS}/jobs", control.list_jobs, 200),
    ("POST", f"{WS}/jobs/-trigger", control.trigger_jobs, 200),
    ("GET", f"{WS}/jobs/{{job_id}}", control.get_job, 200),
    ("GET", f"{WS}/job-runs", control.list_runs, 200),
    ("POST", f"{WS}/job-runs", control.create_run, 201),
    ("POST", f"{WS}/job-runs/-cancel", control.cancel_many_runs, 200),
    ("GET", f"{WS}/job-runs/{{run_id}}", control.get_run, 200),
    ("POST", f"{WS}/job-runs/{{run_id}}/-cancel", control.cancel_run, 200),
    # data plane
    ("POST", f"{WS}/deployments/{{package_id}}/-upload", uploading.upload_deployment, 200),
    ("POST", f"{WS}/configurations/{{package_id}}/-upload", uploading.upload_configuration, 200),
    ("GET", f"{WS}/deployments/{{package_id}}/files", dataplane.deployment_files, 200),
    ("GET", f"{WS}/configurations/{{package_id}}/files", dataplane.configuration_files, 200),
    ("GET", f"{LOGS}/logs", dataplane.stored_log, 200),
    ("GET", f"{LOGS}/log-stream", dataplane.log_stream, 200),
    # in the contract, not in this version
    ("POST", "/auth/v1/sessions/{verb}", later.not_yet, 200),
    ("PATCH", WS, later.not_yet, 200),
    ("POST", f"{WS}/-archive", later.not_yet, 200),
    ("POST", f"{WS}/-unarchive", later.not_yet, 200),
    ("GET", f"{WS}/variables", later.not_yet, 200),
    ("PATCH", f"{WS}/variables", later.not_yet, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/{{verb}}", later.not_yet, 200),
    ("GET", "/telemetry/v1/workspaces/{rest:path}", later.not_yet, 200),
    # runners
    ("POST", f"{ATTEMPT}/claim", runner.claim, 200),
    ("GET", f"{ATTEMPT}/packages/{{which}}", runner.package, 200),
    ("POST", f"{ATTEMPT}/lines", runner.lines, 200),
    ("GET", f"{ATTEMPT}/control", runner.control, 200),
    ("POST", f"{ATTEMPT}/started", runner.started, 200),
    ("POST", f"{ATTEMPT}/exit", runner.finished, 200),
]


def install(app: FastAPI) -> None:
    for method, path, endpoint, status in ROUTES:
        app.add_api_route(path, endpoint, methods=[method], status_code=status)
