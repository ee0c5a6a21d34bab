"""Every error leaves in one shape, with the way out, and repeats nothing of what was sent."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from homeport.api.client_age import HEADER, MIN_CLIENT_VERSION

from ..builders import definition
from ..world import World
from .conftest import Door

NOBODY = UUID(int=0xDEAD)


def shape(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that has the one shape."""
    body = response.json()
    assert set(body) == {"status_code", "code", "detail", "extra"}
    assert body["status_code"] == response.status_code
    assert body["detail"]
    assert response.headers[HEADER] == str(MIN_CLIENT_VERSION)
    return response.status_code, body["code"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", (404, "no_such_address")),
        ("GET", "/nothing", (404, "no_such_address")),
        ("GET", "/api/v1/organizations/", (404, "no_such_address")),
        ("DELETE", "/api/v1/organizations", (405, "method_not_allowed")),
        ("GET", "/api/v1/workspaces/no-uuid", (400, "malformed_request")),
        ("GET", "ws:/jobs?limit=many", (400, "malformed_request")),
        ("GET", "ws:/jobs?limit=1001", (400, "malformed_request")),
        ("GET", "ws:/jobs?limit=0", (400, "malformed_request")),
        ("GET", "ws:/jobs?offset=-1", (400, "malformed_request")),
        ("GET", "ws:/jobs?offset=10001", (400, "malformed_request")),
        ("GET", f"ws:/jobs/{NOBODY}", (404, "not_found")),
        ("GET", f"ws:/job-runs/{NOBODY}", (404, "not_found")),
        ("GET", f"ws:/deployments/{NOBODY}", (404, "not_found")),
        ("GET", f"/api/v1/workspaces/{NOBODY}", (404, "not_found")),
        ("GET", "/api/v1/me", (403, "human_only")),
        ("POST", "/auth/v1/sessions/-redeem-device-code", (400, "malformed_request")),
        ("POST", "ws:/jobs/-trigger", (400, "malformed_request")),
    ],
)
def test_an_error_has_its_status_and_code_in_the_one_shape(
    door: Door, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert shape(door.ask(method, path)) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"content": b'{"job_id": "hunter2"}'},
        {"content": b'{"job_id": "hunter2'},
        {"content": b"hunter2"},
        {"json": ["hunter2"]},
        {"json": {"job_id": str(NOBODY), "mode": "hunter2"}},
        {"json": {"job_id": {"hunter2": 1}}},
    ],
    ids=["no uuid", "cut", "no json", "a list", "an unknown mode", "an object"],
)
def test_a_malformed_body_is_not_echoed(door: Door, body: dict[str, Any]) -> None:
    response = door.post("ws:/job-runs", headers={"Content-Type": "application/json"}, **body)
    assert shape(response) == (400, "malformed_request")
    assert response.json()["extra"]["reasons"]
    assert "hunter2" not in response.text


def test_a_fault_of_ours_says_so_and_no_more(door: Door, world: World) -> None:
    world.deploy(definition("a"))
    with world.database.write() as tx:
        tx.execute(sa.text("ALTER TABLE job_triggers RENAME TO hidden"))
    response = door.get("ws:/jobs")
    assert shape(response) == (500, "internal_error")
    assert "job_triggers" not in response.text


def test_a_database_that_is_gone_is_503(door: Door, world: World, tmp_path: Path) -> None:
    world.database.close()
    for file in tmp_path.glob("homeport.db*"):
        file.unlink()
    (tmp_path / "homeport.db").mkdir()
    assert shape(door.get("/api/v1/organizations")) == (503, "unavailable")


@pytest.mark.parametrize(
    ("bearer", "words"),
    [
        (None, ["RUNTIME__API_KEY", "secrets.toml", "homeport connect"]),
        ("dlt_u_nobodys_key_nobodys_key", ["API key"]),
        ("", []),
    ],
)
def test_who_is_not_known_is_told_the_way_in(door: Door, bearer: str | None, words: list[str]) -> None:
    headers = {"Authorization": "Bearer "} if bearer == "" else {}
    response = door.get("/api/v1/organizations", bearer or None, headers=headers)
    assert shape(response) == (401, "not_authenticated")
    assert [word for word in words if word not in response.json()["detail"]] == []
    assert "nobodys_key" not in response.text


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_read_generously(door: Door, world: World, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {world.api_key}"}
    assert door.get("/api/v1/organizations", None, headers=headers).status_code == 200


@pytest.mark.parametrize("agent", ["dlthub-cli/0.28.3", "dlthub-python-sdk/0.1", "dlthub-mcp/0.28.4rc1"])
def test_a_client_that_is_too_old_is_told_to_upgrade(door: Door, agent: str) -> None:
    response = door.get("/api/v1/organizations", headers={"User-Agent": agent})
    assert shape(response) == (426, "client_too_old")
    assert "pip install -U dlthub-client" in response.json()["detail"]


@pytest.mark.parametrize("agent", ["dlthub-cli/0.28.7", "dlthub-cli/1.0", "dlthub-cli/unknown", "curl/8", ""])
def test_every_other_client_is_served(door: Door, agent: str) -> None:
    response = door.get("/api/v1/organizations", headers={"User-Agent": agent})
    assert response.status_code == 200
    assert response.headers[HEADER] == str(MIN_CLIENT_VERSION)
