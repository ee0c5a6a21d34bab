"""Alice asks the application for lists of her workspace."""

import warnings
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from homeport.server import build_app

from ..world import World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(world: World) -> Ask:
    """`ask("GET", "/jobs", q="a")` below the workspace; `key` is somebody else's key."""
    client = TestClient(
        build_app(world.platform, {}), base_url="http://homeport.test", raise_server_exceptions=False
    )

    def ask(method: str, path: str, key: str | None = None, json: Any = None, **params: Any) -> httpx.Response:
        if not path.startswith(("/api/", "/p/")):
            path = f"/api/v1/workspaces/{world.workspace.id}{path}"
        headers = {"Authorization": f"Bearer {key or world.api_key}"}
        found: httpx.Response = client.request(method, path, headers=headers, params=params, json=json)
        return found

    return ask
