"""All routes of the API on one screen (wire contract §8, `src/homeport_runner/README.md`)."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from homeport.api import (
    beacon,
    control,
    dataplane,
    documented,
    downloads,
    health,
    ledger,
    people,
    public_links,
    requests,
    runner,
    sessions,
    telemetry,
    uploading,
    variables,
    webhooks,
)
from homeport.api.line_route import LineRoute

ORG = "/api/v1/organizations/{organization_id}"
WS = "/api/v1/workspaces/{workspace_id}"
TELEMETRY = "/telemetry/v1/workspaces/{workspace_id}"
LOGS = "/logs/v1/workspaces/{workspace_id}/job-runs/{run_id}"
KEYS = "/api/v1/keys"
AUTH = "/auth/v1/sessions"
HOOKS = "/hooks/v1/{token}"
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
    ("POST", f"{ORG}/-set-region", control.set_region, 200),
    ("GET", f"{ORG}/workspaces", control.list_workspaces, 200),
    ("POST", f"{ORG}/workspaces", control.create_workspace, 201),
    ("GET", WS, control.get_workspace, 200),
    ("PATCH", WS, control.update_workspace, 200),
    ("POST", f"{WS}/-archive", control.archive_workspace, 200),
    ("POST", f"{WS}/-unarchive", control.unarchive_workspace, 200),
    ("GET", f"{WS}/me", control.workspace_me, 200),
    ("GET", f"{WS}/members", control.list_members, 200),
    ("POST", f"{WS}/-issue-dataplane-token", control.issue_dataplane_token, 200),
    ("POST", f"{WS}/-deploy", control.deploy, 200),
    ("GET", f"{WS}/deployments", control.list_deployments, 200),
    ("GET", f"{WS}/deployments/latest", control.latest_deployment, 200),
    ("POST", f"{WS}/deployments/-issue-upload", control.issue_deployment_upload, 200),
    ("GET", f"{WS}/deployments/{{package_id}}", control.get_deployment, 200),
    ("GET", f"{WS}/deployments/{{package_id}}/-download", downloads.download_deployment, 200),
    ("GET", f"{WS}/configurations", control.list_configurations, 200),
    ("GET", f"{WS}/configurations/latest", control.latest_configuration, 200),
    ("POST", f"{WS}/configurations/-issue-upload", control.issue_configuration_upload, 200),
    ("GET", f"{WS}/configurations/{{package_id}}", control.get_configuration, 200),
    ("GET", f"{WS}/configurations/{{package_id}}/-download", downloads.download_configuration, 200),
    ("GET", f"{WS}/jobs", control.list_jobs, 200),
    ("POST", f"{WS}/jobs/-trigger", control.trigger_jobs, 200),
    ("GET", f"{WS}/jobs/{{job_id}}", control.get_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-pause", control.pause_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-resume", control.resume_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-archive", control.archive_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-unarchive", control.unarchive_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-publish", control.publish_job, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/-unpublish", control.unpublish_job, 200),
    ("GET", f"{WS}/jobs/{{job_id}}/public-link", public_links.get_public_link, 200),
    ("PATCH", f"{WS}/jobs/{{job_id}}/public-link", public_links.change_public_link, 200),
    ("GET", f"{WS}/jobs/{{job_id}}/webhook", webhooks.get_webhook, 200),
    ("POST", f"{WS}/jobs/{{job_id}}/webhook/-issue-secret", webhooks.issue_secret, 200),
    ("GET", f"{WS}/job-runs", control.list_runs, 200),
    ("POST", f"{WS}/job-runs", control.create_run, 201),
    ("POST", f"{WS}/job-runs/-cancel", control.cancel_many_runs, 200),
    ("GET", f"{WS}/job-runs/{{run_id}}", control.get_run, 200),
    ("POST", f"{WS}/job-runs/{{run_id}}/-cancel", control.cancel_run, 200),
    # schedules, Homeport's own
    ("GET", f"{WS}/ticks", ledger.list_ticks, 200),
    ("GET", f"{WS}/schedule", ledger.schedule, 200),
    ("GET", f"{WS}/jobs/{{job_id}}/-explain", ledger.explain, 200),
    # Homeport's own
    ("GET", f"{WS}/job-runs/{{run_id}}/attempts", control.get_attempts, 200),
    ("GET", f"{WS}/storage", control.workspace_storage, 200),
    # people, Homeport's own
    ("GET", KEYS, people.list_keys, 200),
    ("POST", KEYS, people.create_key, 201),
    ("POST", f"{KEYS}/{{key_id}}/-revoke", people.revoke_key, 204),
    ("GET", f"{WS}/keys", people.list_workspace_keys, 200),
    ("POST", f"{WS}/keys", people.create_workspace_key, 201),
    ("POST", f"{WS}/keys/{{key_id}}/-revoke", people.revoke_workspace_key, 204),
    ("POST", f"{WS}/members/-set", people.set_workspace_member, 204),
    ("POST", f"{WS}/members/{{member_id}}/-remove", people.remove_workspace_member, 204),
    ("POST", f"{WS}/-set-default-access", people.set_default_access, 204),
    ("GET", f"{ORG}/members", people.list_members, 200),
    ("PATCH", f"{ORG}/members/{{member_id}}", people.change_member, 200),
    ("POST", f"{ORG}/members/{{member_id}}/-remove", people.remove_member, 204),
    ("GET", f"{ORG}/invitations", people.list_invitations, 200),
    ("POST", f"{ORG}/invitations", people.invite, 201),
    ("POST", f"{ORG}/invitations/{{invitation_id}}/-revoke", people.revoke_invitation, 204),
    ("GET", f"{ORG}/audit-log", people.audit_log, 200),
    # auth
    ("POST", f"{AUTH}/-issue-device-code", sessions.issue_device_code, 200),
    ("POST", f"{AUTH}/-redeem-device-code", sessions.redeem_device_code, 200),
    ("POST", f"{AUTH}/-issue-authorization-url", sessions.issue_authorization_url, 200),
    ("POST", f"{AUTH}/-redeem-authorization-code", sessions.redeem_authorization_code, 200),
    ("POST", f"{AUTH}/-refresh", sessions.refresh, 200),
    ("POST", f"{AUTH}/-issue-swap-code", sessions.issue_swap_code, 200),
    ("POST", f"{AUTH}/-revoke", sessions.revoke, 204),
    # data plane
    ("POST", f"{WS}/deployments/{{package_id}}/-upload", uploading.upload_deployment, 200),
    ("POST", f"{WS}/configurations/{{package_id}}/-upload", uploading.upload_configuration, 200),
    ("GET", f"{WS}/deployments/{{package_id}}/files", dataplane.deployment_files, 200),
    ("GET", f"{WS}/configurations/{{package_id}}/files", dataplane.configuration_files, 200),
    ("GET", f"{WS}/variables", variables.list_variables, 200),
    ("PATCH", f"{WS}/variables", variables.change_variables, 200),
    ("GET", f"{LOGS}/logs", dataplane.stored_log, 200),
    ("GET", f"{LOGS}/log-stream", dataplane.log_stream, 200),
    ("GET", f"{TELEMETRY}/watermark", telemetry.watermark, 200),
    ("GET", f"{TELEMETRY}/pipeline-runs", telemetry.list_pipeline_runs, 200),
    ("GET", f"{TELEMETRY}/pipeline-runs/{{pipeline_run_id}}", telemetry.get_pipeline_run, 200),
    ("GET", f"{TELEMETRY}/pipeline-runs/{{pipeline_run_id}}/trace", telemetry.get_trace, 200),
    ("GET", f"{TELEMETRY}/pipelines/-/stats", telemetry.list_pipeline_stats, 200),
    ("GET", f"{TELEMETRY}/datasets/-/stats", telemetry.list_dataset_stats, 200),
    ("GET", f"{TELEMETRY}/job-runs/{{run_id}}/result", telemetry.get_result, 200),
    ("GET", f"{TELEMETRY}/job-runs/{{run_id}}/result-trace", telemetry.get_result_trace, 200),
    # dlt inside of runs
    ("PUT", "/beacon/v1/{token}/{kind}", beacon.take_in, 200),
    # who calls webhooks of jobs
    ("POST", HOOKS, webhooks.receive, 201),
    ("POST", f"{HOOKS}/{{path:path}}", webhooks.receive_at, 201),
    # runners
    ("POST", f"{ATTEMPT}/claim", runner.claim, 200),
    ("GET", f"{ATTEMPT}/packages/{{which}}", runner.package, 200),
    ("POST", f"{ATTEMPT}/lines", runner.lines, 200),
    ("GET", f"{ATTEMPT}/control", runner.control, 200),
    ("POST", f"{ATTEMPT}/started", runner.started, 200),
    ("GET", f"{ATTEMPT}/artifacts", runner.list_artifacts, 200),
    ("PUT", f"{ATTEMPT}/artifacts/{{pipeline}}", runner.take_artifacts, 200),
    ("GET", f"{ATTEMPT}/artifacts/{{pipeline}}", runner.give_artifacts, 200),
    ("POST", f"{ATTEMPT}/exit", runner.finished, 200),
]


@cache
def _made() -> list[BaseRoute]:
    """All of them, looked through once in a process: that takes a quarter of a second, and they know no server."""
    router = APIRouter(route_class=requests.ApiRoute)
    for method, path, endpoint, status in ROUTES:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            responses=documented.answers_of(method, path),
            route_class_override=LineRoute if endpoint is runner.lines else None,
        )
    return router.routes


def install(app: FastAPI) -> None:
    app.router.routes.extend(_made())
    documented.install(app)
