"""A run that reports, and somebody who reads what it reported."""

import warnings
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from homeport.server import build_app

from ..builders import definition
from ..world import Runner, World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

Ask = Callable[..., httpx.Response]


@pytest.fixture
def client(world: World) -> TestClient:
    return TestClient(
        build_app(world.platform, {}), base_url="http://homeport.test", raise_server_exceptions=False
    )


@pytest.fixture
def read(world: World, client: TestClient) -> Ask:
    """`read("/watermark")` below the workspace's telemetry."""

    def read(path: str, **params: Any) -> httpx.Response:
        token = world.platform.dataplane_tokens.issue(world.alice, world.workspace.id, world.clock.now())[0]
        url = f"/telemetry/v1/workspaces/{world.workspace.id}{path}"
        found: httpx.Response = client.get(url, params=params, headers={"Authorization": f"Bearer {token}"})
        return found

    return read


@pytest.fixture
def runner(world: World) -> Runner:
    world.deploy(definition("load"))
    return world.running("load")


@pytest.fixture
def report(client: TestClient, runner: Runner) -> Ask:
    """What dlt inside of the run sends to the address that it was given."""

    def report(kind: str, body: Any) -> httpx.Response:
        url = runner.launch.variables["RUNTIME__DLTHUB_DSN"]
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        path = url.removeprefix(runner.world.platform.runner_url)
        found: httpx.Response = client.put(f"{path}/{kind}", **content)
        return found

    return report
