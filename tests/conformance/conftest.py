"""A server on each database, a deployed workspace on each server, and both flavours of the SDK."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from ..acceptance.conftest import NewWorkspace, environment, environments, new_workspace  # noqa: F401
from ..acceptance.servers import Homeport
from ..acceptance.workspaces import Workspace
from .ledger import Sdk, owed_nothing

FILES = {
    "shop.py": """
        import dlt
        from dlt.common.runtime import signals
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.pipeline("orders", trigger=trigger.schedule("0 3 1 1 *"), expose={"tags": ["ingest"]})
        def load():
            pipeline = dlt.pipeline("orders", destination="duckdb", dataset_name="shop_data")
            pipeline.run([{"id": 1}, {"id": 2}], table_name="orders")
            print("two orders")
            run.result({"rows": 2})


        @run.job()
        def waits():
            print("waiting", flush=True)
            signals.sleep(600)
    """,
    "__deployment__.py": "from shop import load, waits\n\n__all__ = ['load', 'waits']\n",
}


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def server(
    backend: str,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],  # noqa: F811
    environments: Any,  # noqa: F811
    request: pytest.FixtureRequest,
) -> Iterator[Homeport]:
    """A real `homeport up` on that database."""
    homeport = Homeport(tmp_path_factory.mktemp("server"), environment, environments)
    with ExitStack() as stack:
        if backend == "postgresql":
            cluster = request.getfixturevalue("postgres")
            homeport.settings["HOMEPORT_DATABASE_URL"] = stack.enter_context(cluster.database())
        stack.callback(homeport.close)
        yield homeport.start()


@pytest.fixture(scope="session")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:  # noqa: F811
    """Deployed by the command, and its pipeline has run once."""
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    assert shop.run("load")["status"] == "completed"
    return shop


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, server: Homeport, runner: asyncio.Runner) -> Iterator[Sdk]:
    """After the test, what its mark promises must have been called."""
    sdk = Sdk(request.param, server.url, server.api_key, runner)
    yield sdk
    called = set(sdk.called)
    sdk(sdk.runtime.close)
    owed_nothing(request, called)


@pytest.fixture
def place(sdk: Sdk, shop: Workspace) -> Any:
    """The deployed workspace, through the SDK."""
    return sdk(sdk.runtime.workspaces.get, id=shop.id)


@pytest.fixture
def organization(sdk: Sdk, server: Homeport) -> Any:
    return sdk(sdk.runtime.organizations.get, id=server.organization_id())


@pytest.fixture
def fresh(sdk: Sdk, organization: Any) -> Any:
    """A workspace of this test's own with nothing in it."""
    return sdk(organization.workspaces.create, name="fresh")


@pytest.fixture(scope="session")
def jwt(server: Homeport) -> str:
    """The owner's access token, as `dlthub login` gets one."""
    sessions = f"{server.url}/auth/v1/sessions"
    started = httpx.post(f"{sessions}/-issue-device-code").json()
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}) as browser:
        browser.post("/sign-in", data={"api_key": server.api_key}).read()
        browser.post("/device", data={"user_code": started["user_code"], "answer": "yes"}).raise_for_status()
    body = {"device_code": started["device_code"]}
    return str(httpx.post(f"{sessions}/-redeem-device-code", json=body).json()["jwt"])
