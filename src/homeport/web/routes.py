"""All pages and actions on one screen. The client prints the first four addresses below `/w/`."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from homeport.web import (
    audit_log,
    authorize,
    cancel_run,
    device,
    error,
    invitation,
    job,
    keys,
    members,
    open_app,
    pipeline,
    provider_sign_in,
    public_app,
    public_link,
    run,
    run_events,
    run_job,
    run_log,
    sign_in,
    sign_out,
    webhook_secret,
    workspace,
    workspaces,
)
from homeport.web.guard import PageRoute
from homeport.web.static_files import StaticFolder

ORG = "/organizations/{organization_id}"
WS = "/w/{workspace_id}"

ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "/", workspaces.show),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.submit),
    ("GET", "/sign-in/{provider}", provider_sign_in.begin),
    ("GET", "/sign-in/{provider}/callback", provider_sign_in.finish),
    ("POST", "/sign-out", sign_out.submit),
    ("GET", "/device", device.show),
    ("POST", "/device", device.submit),
    ("GET", "/authorize", authorize.show),
    ("POST", "/authorize", authorize.submit),
    ("GET", "/invitation", invitation.show),
    ("POST", "/invitation", invitation.submit),
    ("GET", "/keys", keys.show),
    ("POST", "/keys/-create", keys.create),
    ("POST", "/keys/-password", keys.set_password),
    ("POST", "/keys/{key_id}/-revoke", keys.revoke),
    ("GET", f"{ORG}/members", members.show),
    ("POST", f"{ORG}/members/{{member_id}}/-change", members.change),
    ("POST", f"{ORG}/members/{{member_id}}/-remove", members.remove),
    ("POST", f"{ORG}/invitations/-create", members.invite),
    ("POST", f"{ORG}/invitations/{{invitation_id}}/-revoke", members.revoke_invitation),
    ("GET", f"{ORG}/audit-log", audit_log.show),
    ("POST", f"{WS}/keys/-create", keys.create_for_workspace),
    ("POST", f"{WS}/keys/{{key_id}}/-revoke", keys.revoke_of_workspace),
    ("POST", f"{WS}/members/-set", members.set_in_workspace),
    ("POST", f"{WS}/members/{{member_id}}/-remove", members.remove_from_workspace),
    ("POST", f"{WS}/-default-access", members.set_default_access),
    ("GET", "/p/{secret}", public_app.show),
    ("GET", "/apps/{name}/-open", open_app.show),
    ("GET", "/apps/{name}/", open_app.nowhere),
    ("GET", "/apps/{name}", open_app.nowhere),
    ("GET", WS, workspace.show),
    ("GET", f"{WS}/jobs/{{name}}", job.show),
    ("GET", f"{WS}/runs/{{run_id}}", run.show),
    ("GET", f"{WS}/pipelines/{{name:path}}", pipeline.show),
    ("GET", f"{WS}/runs/{{run_id}}/events", run_events.show),
    ("GET", f"{WS}/runs/{{run_id}}/log.txt", run_log.show),
    ("POST", f"{WS}/jobs/{{name}}/-run", run_job.submit),
    ("POST", f"{WS}/jobs/{{name}}/-webhook-secret", webhook_secret.submit),
    ("POST", f"{WS}/jobs/{{name}}/-publish", public_link.publish),
    ("POST", f"{WS}/jobs/{{name}}/-unpublish", public_link.unpublish),
    ("POST", f"{WS}/jobs/{{name}}/-link-end", public_link.set_end),
    ("POST", f"{WS}/jobs/{{name}}/-link-password", public_link.set_password),
    ("POST", f"{WS}/runs/{{run_id}}/-cancel", cancel_run.submit),
    ("GET", "/w/{rest:path}", error.no_such_page),
]


@cache
def _made() -> list[BaseRoute]:
    """All of them, looked through once in a process: they know no server."""
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    for method, path, endpoint in ROUTES:
        router.add_api_route(path, endpoint, methods=[method], response_model=None)
    return router.routes


def install(app: FastAPI) -> None:
    """Put the pages and their static files into an application whose state has the platform."""
    app.mount("/static", StaticFolder(), name="static")
    app.router.routes.extend(_made())
