"""Alive, and able to serve: answered to anybody, and what is down is named."""

import shutil

import pytest
from fastapi import FastAPI

from homeport.execution.engines import EngineError

from ..world import World
from .conftest import Door


def test_the_process_lives(door: Door) -> None:
    response = door.get("/healthz", None)
    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert response.json()["service"] == "homeport"


def test_a_server_that_can_serve_is_ready(door: Door) -> None:
    response = door.get("/readyz", None)
    assert response.status_code == 200
    assert set(response.json()["checks"].values()) == {"ok"}


def test_a_storage_that_is_gone_is_named(door: Door, world: World) -> None:
    storage = world.platform.settings.data_dir / "storage"
    shutil.rmtree(storage)
    storage.write_text("in the way")
    response = door.get("/readyz", None)
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert [name for name, result in checks.items() if result != "ok"] == ["storage"]
    assert "storage" in checks["storage"]


@pytest.mark.parametrize("error", [EngineError("uv was not found"), LookupError("hunter2")])
def test_whatever_is_wrong_with_a_part_the_others_are_told_too(door: Door, app: FastAPI, error: Exception) -> None:
    def broken() -> None:
        raise error

    app.state.readiness["engine"] = broken
    response = door.get("/readyz", None)
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "ok"
    assert response.json()["checks"]["engine"] != "ok"
    assert "hunter2" not in response.text
