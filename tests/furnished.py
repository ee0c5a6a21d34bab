"""A world with one of everything, so that any route can be asked for something that is there, by who may."""

import io
import re
import tarfile
import warnings
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx

from homeport.api.access import RULES, Let
from homeport.auth.principals import Principal
from homeport.contract.people import CreateKeyRequest, CreateWorkspaceKeyRequest, InviteRequest
from homeport.operations import artifacts, change_jobs, invitations, keys, sign_in, uploads
from homeport.server import build_app
from homeport.web.visiting import COOKIE

from .builders import definition, interactive
from .world import World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ORIGIN = "http://homeport.test"
_DATAPLANE = ("/logs/", "/telemetry/", "/files", "/variables")
_TRACE = {
    "transaction_id": "t1",
    "pipeline_name": "shop",
    "execution_context": {"library": {"name": "dlt", "version": "1.31.0"}},
    "started_at": "2026-03-02T11:59:00Z",
    "finished_at": "2026-03-02T11:59:01Z",
    "steps": [],
}
_RESULT = {"type": "job.a", "engine_version": 1, "job_ref": "jobs.a", "result": {"rows": 3}, "object": []}


def takes_bytes(path: str) -> bool:
    """What is sent there is no object of named fields: archives, what dlt beams, what a webhook delivers."""
    is_archive = path.endswith(("/-upload", "/artifacts/{pipeline}"))
    return is_archive or path.startswith(("/beacon/", "/hooks/"))


class Furnished:
    """`ids_of` and `bearer_of` answer for any route of the table."""

    def __init__(self, world: World, member: str = "bob@homeport") -> None:
        self.world = world
        self.app = build_app(world.platform, {})
        self.client = TestClient(self.app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)
        world.deploy(definition("a", "every:1h"), definition("b", "job.success:jobs.a"), interactive("notebook"))
        self.app_job = world.current("notebook").job.id
        change_jobs.publish(world.platform, world.alice, world.workspace.id, self.app_job)
        self.finished = world.running("a")
        self.finished.say(0, "hello")
        beacon = self.finished.launch.variables["RUNTIME__DLTHUB_DSN"].removeprefix(world.platform.runner_url)
        assert self.client.put(f"{beacon}/trace", json=_TRACE).status_code == 200
        assert self.client.put(f"{beacon}/job_result", json=_RESULT).status_code == 200
        self.beacon_token = beacon.rpartition("/")[2]
        self.finished.exit(0, lines=1)
        self.running = world.running("a")
        artifacts.take_in(
            world.platform, self.running.attempt_id, self.running.launch.session, "shop", artifacts_archive(), 0
        )
        self.member = world.invite(member, "developer", "member")
        me, place = world.alice, world.workspace.id
        self.key = keys.create_key(world.platform, me, CreateKeyRequest(name="mine")).id
        self.workspace_key = keys.create_workspace_key(
            world.platform, me, place, CreateWorkspaceKeyRequest(name="ci")
        ).id
        self.invitation = invitations.invite(
            world.platform, me, me.organization_id, InviteRequest(), "http://homeport.test"
        ).id
        self.uploads = {kind: uploads.issue(world.platform, me, place, kind) for kind in _KINDS}
        self.dataplane_token = world.platform.dataplane_tokens.issue(me, place, world.clock.now())[0]
        runs = self.client.get(
            f"/telemetry/v1/workspaces/{place}/pipeline-runs", headers=_bearer(self.dataplane_token)
        )
        self.pipeline_run = runs.json()["items"][0]["id"]
        self.login = self.log_in(me)

    def log_in(self, person: Principal) -> dict[str, Any]:
        """What the auth service gives a person's command line."""
        session = sign_in.open_session_with_key(self.world.platform, self.world.key_of(person))
        started = self.client.post("/auth/v1/sessions/-issue-device-code").json()
        form = {"user_code": started["user_code"], "answer": "yes"}
        browser = TestClient(self.app, base_url=ORIGIN, headers={"Origin": ORIGIN})
        browser.cookies.set(COOKIE, session)
        assert browser.post("/device", data=form).status_code == 200
        code = {"device_code": started["device_code"]}
        found: dict[str, Any] = self.client.post("/auth/v1/sessions/-redeem-device-code", json=code).json()
        return found

    def ids_of(self, method: str, path: str) -> dict[str, str]:
        """A value for every parameter of the address."""
        world = self.world
        kind = next((kind for kind in _KINDS if f"/{kind}/" in path), "deployments")
        is_organization = "/organizations/" in path
        values: dict[str, Callable[[], UUID | str]] = {
            "organization_id": lambda: world.alice.organization_id,
            "workspace_id": lambda: world.workspace.id,
            "package_id": lambda: self.uploads[kind][0] if path.endswith("-upload") else self._package(kind),
            "job_id": lambda: self.app_job if path.endswith("/public-link") else world.current("a").job.id,
            "run_id": lambda: self.running.run_id if path.endswith("-cancel") else self.finished.run_id,
            "key_id": lambda: self.workspace_key if "workspaces" in path else self.key,
            "member_id": lambda: self.member.member_id if is_organization else self._workspace_member(),
            "invitation_id": lambda: self.invitation,
            "pipeline_run_id": lambda: self.pipeline_run,
            "attempt_id": lambda: self.running.attempt_id,
            "which": lambda: "code",
            "token": lambda: self.beacon_token,
            "kind": lambda: "trace",
            "path": lambda: "orders",
            "pipeline": lambda: "shop",
        }
        return {name: str(values[name]()) for name in re.findall(r"{(\w+)(?::path)?}", path)}

    def filled(self, method: str, path: str, **other: object) -> str:
        """The address with ids that are there."""
        ids = {**self.ids_of(method, path), **{name: str(value) for name, value in other.items()}}
        return re.sub(r"{(\w+)(?::path)?}", lambda found: ids[found[1]], path)

    def bearer_of(self, method: str, path: str) -> str | None:
        """A credential that is let in there."""
        rule = RULES[method, path]
        if rule in (Let.ANYBODY, Let.RUN):
            return None
        if rule is Let.LOGGED_IN_PERSON:
            return str(self.login["jwt"])
        if rule is Let.UPLOADER:
            return self.uploads["configurations" if "/configurations/" in path else "deployments"][1]
        if rule is Let.RUNNER:
            return self.running.launch.session
        return self.dataplane_token if any(part in path for part in _DATAPLANE) else self.world.api_key

    def ask(self, method: str, path: str, bearer: str | None, **parts: Any) -> httpx.Response:
        headers = _bearer(bearer) | parts.pop("headers", {})
        found: httpx.Response = self.client.request(method, path, headers=headers, **parts)
        return found

    def _package(self, kind: str) -> str:
        path = f"/api/v1/workspaces/{self.world.workspace.id}/{kind}/latest"
        return str(self.ask("GET", path, self.world.api_key).json()["id"])

    def _workspace_member(self) -> str:
        path = f"/api/v1/workspaces/{self.world.workspace.id}/members"
        items = self.ask("GET", path, self.world.api_key).json()["items"]
        return next(str(item["id"]) for item in items if item["email"] == self.member.email)


def artifacts_archive() -> bytes:
    """Of what a pipeline leaves."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("state.json"))
    return data.getvalue()


_KINDS: Any = ("deployments", "configurations")


def _bearer(value: str | None) -> dict[str, str]:
    return {} if value is None else {"Authorization": f"Bearer {value}"}
