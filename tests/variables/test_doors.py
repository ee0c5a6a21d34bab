"""Over HTTP: who gets in, the shapes that the client reads, and contents of versions."""

import io
import json
import tarfile
from typing import Any

import httpx
import pytest

from ..api.conftest import Door, app, door
from ..world import World
from .conftest import Variables

__all__ = ["app", "door"]

CREDENTIALS = '[runtime]\napi_key = "dlt_u_of_alice"\n[sources]\npassword = "hunter2"\n'


@pytest.fixture
def backend() -> str:
    return "sqlite"


def patch(door: Door, body: object, bearer: str | None = None) -> httpx.Response:
    # as plain ASCII: httpx itself refuses to send half a character otherwise
    parts = {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    return door.ask("PATCH", "ws:/variables", bearer or door.dataplane_token(), **parts)


def test_a_change_answers_for_each_name_and_a_read_hides_secrets(door: Door, world: World) -> None:
    upserts = [
        {"name": "A", "type": "plain", "value": "1"},
        {"name": "B", "type": "secret", "value": "hunter2"},
    ]
    changed = patch(door, {"profile": None, "upserts": upserts, "deletes": ["C"]})
    assert changed.status_code == 200
    assert changed.json() == {
        "results": [
            {"name": "A", "status": "upserted"},
            {"name": "B", "status": "upserted"},
            {"name": "C", "status": "not_found"},
        ]
    }
    found = door.get("ws:/variables", door.dataplane_token(), params={"is_workspace_scope": "true"})
    [scope] = found.json()["scopes"]
    assert scope["profile"] is None
    plain, secret = scope["variables"]
    assert (
        set(plain)
        == set(secret)
        == {
            *("name", "type", "value", "created_at", "created_by", "updated_at", "updated_by"),
        }
    )
    assert (plain["type"], plain["value"], secret["type"], secret["value"]) == ("plain", "1", "secret", None)
    assert plain["created_by"] == str(world.alice.member_id)


def test_only_a_dataplane_token_of_this_workspace_is_let_in(door: Door, world: World) -> None:
    assert door.get("ws:/variables").status_code == 401
    charlie, elsewhere = world.stranger()
    path = f"/api/v1/workspaces/{elsewhere.id}/-issue-dataplane-token"
    token = door.post(path, world.key_of(charlie)).json()["token"]
    assert door.get("ws:/variables", token).status_code == 401
    bob = world.invite("bob@here", "developer")
    token = door.post("ws:/-issue-dataplane-token", world.key_of(bob)).json()["token"]
    assert door.get("ws:/variables", token).status_code == 403
    assert patch(door, {"profile": None, "deletes": ["A"]}, token).status_code == 403


MALFORMED: list[Any] = [
    {},
    [],
    {"upserts": [{"name": "A", "type": "plain", "value": "hunter2"}]},
    {"profile": 1, "deletes": ["hunter2"]},
    {"profile": None, "upserts": [{"name": "A", "type": "hidden", "value": "hunter2"}]},
    {"profile": None, "upserts": [{"name": "A", "value": "hunter2"}]},
    {"profile": None, "upserts": [{"name": "A", "type": "secret", "value": None}]},
    {"profile": None, "upserts": [{"name": "A", "type": "secret", "value": ["hunter2"]}]},
    {"profile": None, "upserts": [{"name": "A", "type": "secret", "value": "hunter2\ud800"}]},
    {"profile": None, "upserts": [{"name": "\ud800", "type": "plain", "value": "hunter2"}]},
    {"profile": None, "deletes": ["\ud800"]},
    {"profile": "\ud800", "deletes": ["A"]},
    {"profile": None, "deletes": ["A"] * 1001},
    {"profile": None, "upserts": [], "deletes": []},
    {"profile": None},
]


@pytest.mark.parametrize("body", MALFORMED, ids=repr)
def test_what_is_no_change_is_400_and_not_repeated(door: Door, body: object) -> None:
    answer = patch(door, body)
    assert answer.status_code == 400
    assert {"status_code", "code", "detail"} <= set(answer.json())
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "query", ["scope_profile=prod&is_workspace_scope=true", "scope_profile=", "scope_profile=%00"]
)
def test_a_scope_that_cannot_be_is_400(door: Door, query: str) -> None:
    assert door.get(f"ws:/variables?{query}", door.dataplane_token()).status_code == 400


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}  # type: ignore[union-attr]


def test_code_of_any_version_comes_back_as_it_was_uploaded(door: Door, world: World) -> None:
    first = world.upload("deployments", {"job.py": "print('first')" * 10_000})
    world.upload("deployments", {"job.py": "print('second')"})
    bob = world.invite("bob@here", "viewer")
    answer = door.get(f"ws:/deployments/{first.id}/-download", world.key_of(bob))
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == first.size_bytes == len(answer.content)
    assert answer.headers["content-disposition"] == f'attachment; filename="deployment-{first.version}.tar.gz"'
    assert members(answer.content)["files/job.py"] == b"print('first')" * 10_000


def test_configuration_is_for_owners_and_without_the_credentials_of_who_uploaded_it(
    door: Door, world: World
) -> None:
    package = world.upload("configurations", {"secrets.toml": CREDENTIALS})
    path = f"ws:/configurations/{package.id}/-download"
    answer = door.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert b"hunter2" in members(answer.content)["files/secrets.toml"]
    assert b"dlt_u_" not in members(answer.content)["files/secrets.toml"]
    bob = world.invite("bob@here", "developer")
    assert door.get(path, world.key_of(bob)).status_code == 403
    assert door.get(path, door.dataplane_token()).status_code == 401
    log = door.get(f"/api/v1/organizations/{world.alice.organization_id}/audit-log").json()["items"]
    assert [entry["action"] for entry in log].count("configuration.download") == 1


def test_contents_of_other_workspaces_are_not_there(door: Door, world: World) -> None:
    charlie, _ = world.stranger()
    package = world.upload("deployments", {"job.py": ""})
    assert door.get(f"ws:/deployments/{package.id}/-download", world.key_of(charlie)).status_code == 404
    assert door.get(f"ws:/configurations/{package.id}/-download").status_code == 404


def test_a_storage_that_lost_an_archive_answers_503(door: Door, world: World) -> None:
    package = world.upload("deployments", {"job.py": ""})
    for path in (world.platform.settings.data_dir / "storage").rglob(f"{package.archive_sha256}*"):
        path.unlink()
    answer = door.get(f"ws:/deployments/{package.id}/-download")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_nothing_of_a_secret_is_written_where_it_could_be_read(world: World, vars_: Variables) -> None:
    vars_.change({"COLOUR": "hunter2-plain"}, {"PASSWORD": "hunter2-secret"})
    world.upload("configurations", {"secrets.toml": CREDENTIALS})
    world.deploy_jobs(("a",))
    launch = world.claim(world.start("a")).launch
    assert launch.variables["PASSWORD"] == "hunter2-secret"
    storage = world.platform.settings.data_dir / "storage"
    written = [*storage.parent.parent.glob("homeport.db*"), *storage.rglob("*")]
    contents = {path.name: path.read_bytes() for path in written if path.is_file()}
    assert {"homeport.db", "homeport.db-wal"} <= set(contents)
    assert not [name for name, content in contents.items() if b"hunter2" in content]
    # an archive is packed, so its words could not be found in it anyway
    sealed = [path.read_bytes() for path in storage.rglob("configurations/*")]
    assert [content[:3] for content in sealed] == [b"hp1"] * 2
