"""What each endpoint of the API needs, in one place: a route without a line here fails the tests.

Operations ask for the permission themselves (`auth/permissions.py`); `tests/identity/test_access.py` holds both to
each other, for every role and every route.
"""

from enum import StrEnum

from homeport.api.routes import ATTEMPT, AUTH, HOOKS, KEYS, LOGS, ORG, TELEMETRY, WS
from homeport.auth.permissions import OrganizationPermission as InOrganization
from homeport.auth.permissions import Permission as InWorkspace


class Let(StrEnum):
    """Who is let in where it is not a matter of roles."""

    ANYBODY = "anybody"
    """What is sent along proves enough, or nothing is told."""
    SIGNED_IN = "signed in"
    """Whoever has a credential of the control API."""
    PERSON = "person"
    """Not a workspace's key."""
    LOGGED_IN_PERSON = "logged in person"
    """With an access token, not with an API key."""
    UPLOADER = "uploader"
    """With the token of the one upload."""
    RUN = "run"
    """With the token of the run, in the address."""
    WEBHOOK = "webhook"
    """With a signature of the body, by the secret of the job's webhook."""
    RUNNER = "runner"
    """With the ticket or session of the attempt."""


Rule = InWorkspace | InOrganization | Let

RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/healthz"): Let.ANYBODY,
    ("GET", "/readyz"): Let.ANYBODY,
    # control API
    ("GET", "/api/v1/me"): Let.LOGGED_IN_PERSON,
    ("GET", "/api/v1/dataplanes"): Let.SIGNED_IN,
    ("GET", "/api/v1/organizations"): Let.SIGNED_IN,
    ("GET", ORG): InOrganization.READ,
    ("GET", f"{ORG}/me"): InOrganization.READ,
    ("POST", f"{ORG}/-set-region"): InOrganization.MANAGE,
    ("GET", f"{ORG}/workspaces"): InOrganization.READ,
    ("POST", f"{ORG}/workspaces"): InOrganization.CREATE_WORKSPACE,
    ("GET", WS): InWorkspace.READ,
    ("PATCH", WS): InWorkspace.MANAGE,
    ("POST", f"{WS}/-archive"): InWorkspace.MANAGE,
    ("POST", f"{WS}/-unarchive"): InWorkspace.MANAGE,
    ("GET", f"{WS}/me"): InWorkspace.READ,
    ("GET", f"{WS}/members"): InWorkspace.READ,
    ("POST", f"{WS}/-issue-dataplane-token"): InWorkspace.READ,
    ("POST", f"{WS}/-deploy"): InWorkspace.WRITE,
    ("GET", f"{WS}/deployments"): InWorkspace.READ,
    ("GET", f"{WS}/deployments/latest"): InWorkspace.READ,
    ("POST", f"{WS}/deployments/-issue-upload"): InWorkspace.WRITE,
    ("GET", f"{WS}/deployments/{{package_id}}"): InWorkspace.READ,
    ("GET", f"{WS}/deployments/{{package_id}}/-download"): InWorkspace.READ,
    ("GET", f"{WS}/configurations"): InWorkspace.READ,
    ("GET", f"{WS}/configurations/latest"): InWorkspace.READ,
    ("POST", f"{WS}/configurations/-issue-upload"): InWorkspace.WRITE,
    ("GET", f"{WS}/configurations/{{package_id}}"): InWorkspace.READ,
    ("GET", f"{WS}/configurations/{{package_id}}/-download"): InWorkspace.MANAGE,
    ("GET", f"{WS}/jobs"): InWorkspace.READ,
    ("POST", f"{WS}/jobs/-trigger"): InWorkspace.CREATE_RUN,
    ("GET", f"{WS}/jobs/{{job_id}}"): InWorkspace.READ,
    ("POST", f"{WS}/jobs/{{job_id}}/-pause"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/-resume"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/-archive"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/-unarchive"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/-publish"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/-unpublish"): InWorkspace.WRITE,
    ("GET", f"{WS}/jobs/{{job_id}}/public-link"): InWorkspace.READ,
    ("PATCH", f"{WS}/jobs/{{job_id}}/public-link"): InWorkspace.WRITE,
    ("GET", f"{WS}/jobs/{{job_id}}/webhook"): InWorkspace.WRITE,
    ("POST", f"{WS}/jobs/{{job_id}}/webhook/-issue-secret"): InWorkspace.WRITE,
    ("GET", f"{WS}/job-runs"): InWorkspace.READ,
    ("POST", f"{WS}/job-runs"): InWorkspace.CREATE_RUN,
    ("POST", f"{WS}/job-runs/-cancel"): InWorkspace.WRITE,
    ("GET", f"{WS}/job-runs/{{run_id}}"): InWorkspace.READ,
    ("POST", f"{WS}/job-runs/{{run_id}}/-cancel"): InWorkspace.WRITE,
    # schedules, Homeport's own
    ("GET", f"{WS}/ticks"): InWorkspace.READ,
    ("GET", f"{WS}/schedule"): InWorkspace.READ,
    ("GET", f"{WS}/jobs/{{job_id}}/-explain"): InWorkspace.READ,
    ("GET", f"{WS}/job-runs/{{run_id}}/attempts"): InWorkspace.READ,
    ("GET", f"{WS}/storage"): InWorkspace.READ,
    # people, Homeport's own
    ("GET", KEYS): Let.PERSON,
    ("POST", KEYS): Let.PERSON,
    ("POST", f"{KEYS}/{{key_id}}/-revoke"): Let.PERSON,
    ("GET", f"{WS}/keys"): InWorkspace.MANAGE,
    ("POST", f"{WS}/keys"): InWorkspace.MANAGE,
    ("POST", f"{WS}/keys/{{key_id}}/-revoke"): InWorkspace.MANAGE,
    ("POST", f"{WS}/members/-set"): InWorkspace.MANAGE,
    ("POST", f"{WS}/members/{{member_id}}/-remove"): InWorkspace.MANAGE,
    ("POST", f"{WS}/-set-default-access"): InWorkspace.MANAGE,
    ("GET", f"{ORG}/members"): InOrganization.READ,
    ("PATCH", f"{ORG}/members/{{member_id}}"): InOrganization.MANAGE,
    ("POST", f"{ORG}/members/{{member_id}}/-remove"): InOrganization.MANAGE,
    ("GET", f"{ORG}/invitations"): InOrganization.MANAGE,
    ("POST", f"{ORG}/invitations"): InOrganization.MANAGE,
    ("POST", f"{ORG}/invitations/{{invitation_id}}/-revoke"): InOrganization.MANAGE,
    ("GET", f"{ORG}/audit-log"): InOrganization.MANAGE,
    # auth: the codes and tokens in the bodies are the proof
    ("POST", f"{AUTH}/-issue-device-code"): Let.ANYBODY,
    ("POST", f"{AUTH}/-redeem-device-code"): Let.ANYBODY,
    ("POST", f"{AUTH}/-issue-authorization-url"): Let.ANYBODY,
    ("POST", f"{AUTH}/-redeem-authorization-code"): Let.ANYBODY,
    ("POST", f"{AUTH}/-refresh"): Let.ANYBODY,
    ("POST", f"{AUTH}/-issue-swap-code"): Let.ANYBODY,
    ("POST", f"{AUTH}/-revoke"): Let.ANYBODY,
    # data plane
    ("POST", f"{WS}/deployments/{{package_id}}/-upload"): Let.UPLOADER,
    ("POST", f"{WS}/configurations/{{package_id}}/-upload"): Let.UPLOADER,
    ("GET", f"{WS}/deployments/{{package_id}}/files"): InWorkspace.READ,
    ("GET", f"{WS}/configurations/{{package_id}}/files"): InWorkspace.READ,
    ("GET", f"{WS}/variables"): InWorkspace.READ_VARIABLES,
    ("PATCH", f"{WS}/variables"): InWorkspace.MANAGE,
    ("GET", f"{LOGS}/logs"): InWorkspace.READ,
    ("GET", f"{LOGS}/log-stream"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/watermark"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/pipeline-runs"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/pipeline-runs/{{pipeline_run_id}}"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/pipeline-runs/{{pipeline_run_id}}/trace"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/pipelines/-/stats"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/datasets/-/stats"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/job-runs/{{run_id}}/result"): InWorkspace.READ,
    ("GET", f"{TELEMETRY}/job-runs/{{run_id}}/result-trace"): InWorkspace.READ,
    ("PUT", "/beacon/v1/{token}/{kind}"): Let.RUN,
    # who calls webhooks of jobs
    ("POST", HOOKS): Let.WEBHOOK,
    ("POST", f"{HOOKS}/{{path:path}}"): Let.WEBHOOK,
    # runners
    ("POST", f"{ATTEMPT}/claim"): Let.RUNNER,
    ("GET", f"{ATTEMPT}/packages/{{which}}"): Let.RUNNER,
    ("POST", f"{ATTEMPT}/lines"): Let.RUNNER,
    ("GET", f"{ATTEMPT}/control"): Let.RUNNER,
    ("POST", f"{ATTEMPT}/started"): Let.RUNNER,
    ("GET", f"{ATTEMPT}/artifacts"): Let.RUNNER,
    ("PUT", f"{ATTEMPT}/artifacts/{{pipeline}}"): Let.RUNNER,
    ("GET", f"{ATTEMPT}/artifacts/{{pipeline}}"): Let.RUNNER,
    ("POST", f"{ATTEMPT}/exit"): Let.RUNNER,
}
