"""An upload is taken once, whole, by whom it was meant for; anything else leaves nothing behind."""

import gc
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from homeport.execution.engines.fake import FakeEngine
from homeport.server import build_app

from ..builders import archive, package, regular, requirements
from ..world import World
from .conftest import Door

FILES = {"job.py": "print('hello')", "inner/x.sql": "select 1"}


def issue(door: Door, kind: str = "deployments") -> dict[str, Any]:
    found: dict[str, Any] = door.post(f"ws:/{kind}/-issue-upload").json()
    return found


def parts(content: bytes | None = None, manifest: object = None) -> dict[str, Any]:
    body = package(FILES) if content is None else content
    document = requirements() if manifest is None else manifest
    return {
        "file": ("workspace.tar.gz", io.BytesIO(body), "application/x-tar"),
        "requirements_file": ("requirements.json", io.BytesIO(json.dumps(document).encode()), "application/json"),
    }


def send(door: Door, issued: dict[str, Any], files: dict[str, Any] | None = None) -> httpx.Response:
    return door.post(issued["upload_url"], issued["upload_token"], files=files or parts())


def versions(door: Door, kind: str = "deployments") -> int:
    return int(door.get(f"ws:/{kind}").json()["total"])


def test_an_upload_becomes_the_next_version_with_the_issued_id(door: Door) -> None:
    issued = issue(door)
    response = send(door, issued)
    assert response.status_code == 200
    row = response.json()
    assert (row["id"], row["version"], row["file_count"]) == (issued["deployment_id"], 2, 2)
    assert door.get("ws:/deployments/latest").json() == row
    assert door.get(f"ws:/deployments/{row['id']}").json() == row


def test_the_address_is_the_one_that_the_client_accepts(door: Door) -> None:
    issued = issue(door, "configurations")
    path = httpx.URL(issued["upload_url"]).path
    assert path == f"{door.ws}/configurations/{issued['configuration_id']}/-upload"


def test_nothing_is_there_before_the_upload_has_succeeded(door: Door) -> None:
    before = door.get("ws:/deployments/latest").json()
    issue(door)
    assert door.get("ws:/deployments/latest").json() == before


def test_a_configuration_tells_its_profiles(door: Door) -> None:
    content = package(
        dict.fromkeys(("config.toml", "prod.secrets.toml", "access.config.toml", "secrets.toml"), "")
    )
    row = send(door, issue(door, "configurations"), {"file": parts(content)["file"]}).json()
    assert row["profiles"] == ["access", "prod"]


def test_the_files_of_a_version_are_listed_without_content(door: Door) -> None:
    row = send(door, issue(door)).json()
    body = door.get(f"ws:/deployments/{row['id']}/files", door.dataplane_token()).json()
    assert [file["relative_path"] for file in body["files"]] == ["inner/x.sql", "job.py"]
    assert body["files"][1]["size_bytes"] == len(FILES["job.py"])
    assert "hello" not in json.dumps(body)


def test_a_python_that_is_not_to_be_had_is_400_with_the_way_out(door: Door, world: World) -> None:
    engine = FakeEngine()
    engine.pythons_missing = {"3.99"}
    door = Door(build_app(replace(world.platform, offers_python=engine.offers_python), {}), world)
    refused = send(door, issue(door), parts(manifest=requirements(python_version="3.99")))
    assert (refused.status_code, refused.json()["code"]) == (400, "no_such_python")
    assert "uv python install 3.99" in refused.json()["detail"]
    assert versions(door) == 1
    assert send(door, issue(door)).status_code == 200


def test_an_upload_is_taken_once(door: Door) -> None:
    issued = issue(door)
    send(door, issued)
    again = send(door, issued)
    assert (again.status_code, again.json()["code"]) == (400, "upload_used")
    assert versions(door) == 2


def test_a_token_that_has_expired_is_told_so(door: Door, world: World) -> None:
    issued = issue(door)
    world.advance(minutes=11)
    response = send(door, issued)
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize("bearer", ["key", "data plane", "made up"])
def test_no_other_credential_uploads(door: Door, world: World, bearer: str) -> None:
    others = {"key": world.api_key, "data plane": door.dataplane_token(), "made up": "made-up"}
    assert door.post(issue(door)["upload_url"], others[bearer], files=parts()).status_code == 401


@pytest.mark.parametrize("what", ["workspace", "kind", "id"])
def test_a_token_of_another_upload_is_refused(door: Door, world: World, what: str) -> None:
    issued = issue(door)
    others = {
        "workspace": issued["upload_url"].replace(str(world.workspace.id), str(world.stranger()[1].id)),
        "kind": issued["upload_url"].replace("/deployments/", "/configurations/"),
        "id": issue(door)["upload_url"],
    }
    response = door.post(others[what], issued["upload_token"], files=parts())
    assert response.status_code == 403
    assert (versions(door), versions(door, "configurations")) == (1, 1)


def test_an_upload_that_is_too_large_is_413_with_the_way_out(world: World) -> None:
    platform = world.platform_with(max_upload_bytes=20_000)
    door = Door(build_app(platform, {}), world)
    large = package({"a.bin": "".join(str(uuid4()) for _ in range(5_000))})
    response = send(door, issue(door), parts(large))
    assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
    assert "HOMEPORT_MAX_UPLOAD_BYTES" in response.json()["detail"]
    assert versions(door) == 1
    assert send(door, issue(door)).status_code == 200


def test_a_package_that_unpacks_too_large_is_413(world: World) -> None:
    platform = world.platform_with(max_unpacked_bytes=1_000_000)
    door = Door(build_app(platform, {}), world)
    response = send(door, issue(door), parts(package({"zeros": "0" * 2_000_000})))
    assert (response.status_code, response.json()["code"]) == (413, "package_too_large")


def test_an_archive_that_was_cut_is_400_and_can_be_sent_again(door: Door) -> None:
    issued, whole = issue(door), package({"a.bin": "".join(map(str, range(50_000)))})
    response = send(door, issued, parts(whole[: len(whole) // 2]))
    assert (response.status_code, response.json()["code"]) == (400, "invalid_package")
    assert "Upload it again" in response.json()["detail"]
    assert send(door, issued, parts(whole)).status_code == 200


# the form parser leaves the file of a part that never ended to the garbage collector
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_a_body_that_was_cut_is_400(door: Door) -> None:
    issued = issue(door)
    request = httpx.Request("POST", "http://x/", files=parts())
    body, kind = request.read(), request.headers["Content-Type"]
    for size in (0, 10, len(body) // 3, len(body) - 200):
        response = door.post(
            issued["upload_url"], issued["upload_token"], content=body[:size], headers={"Content-Type": kind}
        )
        assert response.status_code == 400, size
        assert response.json()["code"] in ("invalid_upload", "invalid_package", "invalid_requirements")
    assert versions(door) == 1
    gc.collect()


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other": ("x", io.BytesIO(b"x"))}, "invalid_upload"),
        ({"file": parts()["file"]}, "invalid_upload"),
        (parts(manifest={"engine_version": 99}), "invalid_requirements"),
        (parts(manifest=["no manifest"]), "invalid_requirements"),
        (parts(content=archive([regular("files/../evil")])), "invalid_package"),
    ],
    ids=["no file", "no requirements", "requirements of another engine", "no requirements manifest", "a way up"],
)
def test_a_bad_upload_is_refused(door: Door, files: dict[str, Any], code: str) -> None:
    response = send(door, issue(door), files)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert versions(door) == 1


def test_a_body_that_is_no_form_is_refused(door: Door) -> None:
    issued = issue(door)
    response = door.post(issued["upload_url"], issued["upload_token"], json={"file": "x"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_upload")


def test_no_scratch_is_left(door: Door, world: World) -> None:
    send(door, issue(door))
    send(door, issue(door), parts(b"garbage"))
    data_dir: Path = world.platform.settings.data_dir
    assert list(data_dir.glob("upload-*")) == []
