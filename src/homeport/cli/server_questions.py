"""What commands ask a server, over the HTTP API that every client uses."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx

from homeport.cli.settings_files import Pin
from homeport.errors import CannotConnect

WORKSPACE_KEY = "dlt_sa_"


@dataclass(frozen=True)
class KnownWorkspace:
    id: str
    name: str
    role: str
    organization_id: str
    organization_name: str
    email: str


@dataclass(frozen=True)
class Readiness:
    version: str
    is_ready: bool
    checks: dict[str, str]
    """Parts of the server: ok, or what is wrong."""


class Server:
    """The few questions that these ask, each with an answer for people when it goes wrong."""

    def __init__(self, base_url: str, key: str, key_from: str, pinned: Pin) -> None:
        self.base_url = base_url
        self.service_account = key.startswith(WORKSPACE_KEY)
        self._authorization = {"Authorization": f"Bearer {key}"}
        self._key_from = key_from
        self._elsewhere = pinned.base_url if pinned.workspace_id and pinned.base_url != base_url else None
        self._http = httpx.Client(
            base_url=base_url,
            timeout=15,
            # the switch of the `dlthub` command, so that both reach the same servers
            verify=os.environ.get("DLT_RUNTIME_INSECURE", "").strip().lower() not in ("1", "true", "yes"),
        )
        self._organizations: list[dict[str, Any]] = []

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check_is_homeport(self) -> None:
        # without the key: whoever answers there has not been introduced yet
        answer = self._ask("GET", "/healthz")
        if answer.status_code != 200:
            self._not_homeport(f"GET /healthz answers {answer.status_code}")

    def readiness(self) -> Readiness:
        """How the server is; nobody has to sign in for that."""
        self.check_is_homeport()
        try:
            version = str(self._ask("GET", "/healthz").json()["version"])
            answer = self._ask("GET", "/readyz")
            checks = {str(name): str(result) for name, result in answer.json()["checks"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._not_homeport("it tells no version, or not how its parts are")
        return Readiness(version, answer.status_code == 200, checks)

    def reachable_workspaces(self) -> list[KnownWorkspace]:
        try:
            self._organizations = list(self.answer("GET", "/api/v1/organizations?limit=1000")["items"])
            reachable = [found for organization in self._organizations for found in self._in(organization)]
        except (KeyError, TypeError):
            self._not_homeport("its list of organizations reads differently")
        if not self._organizations:
            raise CannotConnect(
                f"The API key {self._key_from} belongs to no organization on {self.base_url}."
                " Ask an owner to add you, or use another key."
            )
        return reachable

    def create_workspace(self, name: str, organization_id: str | None) -> KnownWorkspace:
        homes = [org for org in self._organizations if org["id"] == organization_id] or self._organizations
        if len(homes) > 1:
            raise CannotConnect(
                f"Workspace {name} could go to several organizations:"
                f" {', '.join(org['name'] for org in homes)}. Create it on {self.base_url},"
                " then pass its id with --workspace."
            )
        created = self.answer(
            "POST",
            f"/api/v1/organizations/{homes[0]['id']}/workspaces",
            expected=201,
            json={"name": name, "description": None},
        )
        for found in self._in(homes[0]):
            if found.id == created["id"]:
                return found
        raise CannotConnect(f"Workspace {name} was created as {created['id']}, but this key may not use it.")

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """What the server answers; parameters that are none are not sent."""
        return self.answer(
            "GET", path, params={name: value for name, value in params.items() if value is not None}
        )

    def _in(self, organization: dict[str, Any]) -> Iterator[KnownWorkspace]:
        me = self.answer("GET", f"/api/v1/organizations/{organization['id']}/me")
        for membership in me.get("workspace_memberships", []):
            found = membership["workspace"]
            yield KnownWorkspace(
                id=found["id"],
                name=found["name"],
                role=membership["role"],
                organization_id=organization["id"],
                organization_name=organization["name"],
                email=me["email"],
            )

    def answer(self, method: str, path: str, *, expected: int = 200, **request: Any) -> dict[str, Any]:
        """The JSON object that the server answers with."""
        answer = self._ask(method, path, headers=self._authorization, **request)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._not_homeport(f"{method} {path} answers {answer.status_code} without JSON")
        if answer.status_code == expected:
            return body
        detail = f"{body.get('detail') or answer.reason_phrase} [{body.get('code') or answer.status_code}]"
        if answer.status_code == 401:
            raise CannotConnect(
                f"{self.base_url} does not accept the API key {self._key_from}: {detail}"
                " Use a key of this server: the one that `homeport up` printed first, or a new one."
            )
        raise CannotConnect(f"{self.base_url} declined {method} {path}: {detail}")

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as failure:
            hint = f" This folder is connected to {self._elsewhere}." if self._elsewhere else ""
            raise CannotConnect(
                f"Nothing answers at {self.base_url} ({str(failure) or type(failure).__name__})."
                f" Start it with `homeport up`, or pass the right address with --url.{hint}"
            ) from None

    def _not_homeport(self, reason: str) -> NoReturn:
        raise CannotConnect(
            f"What answers at {self.base_url} is not a Homeport server: {reason}."
            " Pass the address that `homeport up` printed with --url."
        )
