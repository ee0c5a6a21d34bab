"""Notebooks, dashboards, MCP servers: deployed by the real command, used with a browser and an MCP client."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from playwright.sync_api import Page, expect

from .browsers import browser, sign_in
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

FRUITSHOP = Path(__file__).parents[2] / "examples" / "fruitshop"

STREAMLIT = '''
"""A board"""

import streamlit as st

count = st.slider("How many", 0, 10, 3)
st.write(f"There are {count}")
'''

OWN_SERVER = """
from wsgiref.simple_server import make_server

from dlt.hub import run


@run.interactive()
def rest(run_context):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"hello {environ['HTTP_X_HOMEPORT_USER']}".encode()]

    make_server("127.0.0.1", run_context["run_args"]["port"], app).serve_forever()
"""


@pytest.fixture
def fruitshop(workspace: Workspace) -> Workspace:
    """The example workspace, after its load under `prod`."""
    for path in [*FRUITSHOP.glob("*.py"), FRUITSHOP / "pyproject.toml"]:
        shutil.copy(path, workspace.folder)
    workspace.dlthub("run", "fruitshop_pipeline.py", "-f")
    return workspace


def serve(workspace: Workspace, file: str, job: str) -> str:
    """Serve a file with the real command; the address of its app once that answers."""
    workspace.dlthub("serve", file)
    [run] = [run for run in workspace.get("/job-runs", limit=100)["items"] if run["job"]["job_ref"] == job]
    workspace.in_status(run["id"], "running")
    return str(workspace.jobs()[job]["job_url"])


def test_a_notebook_is_used_through_the_proxy(fruitshop: Workspace) -> None:
    """Over what `prod` loaded; a control is moved, and again after the connection was cut."""
    url = serve(fruitshop, "fruitshop_notebook.py", "jobs.fruitshop_notebook")
    with browser() as page:
        page.goto(url)
        sign_in(page, fruitshop.server)
        page.wait_for_url(url)
        expect(page.get_by_text("5 fruits")).to_be_visible(timeout=60_000)
        press(page, "ArrowRight", 12)
        expect(page.get_by_text("5 fruits")).to_have_count(0, timeout=30_000)
        page.context.set_offline(True)
        page.context.set_offline(False)
        page.reload()
        expect(page.get_by_text("5 fruits")).to_be_visible(timeout=60_000)


def press(page: Page, key: str, times: int) -> None:
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_a_streamlit_app_hears_its_controls(workspace: Workspace) -> None:
    workspace.write({"board.py": STREAMLIT})
    url = serve(workspace, "board.py", "jobs.board")
    with browser() as page:
        page.goto(url)
        sign_in(page, workspace.server)
        expect(page.get_by_text("There are 3")).to_be_visible(timeout=60_000)
        press(page, "ArrowRight", 1)
        expect(page.get_by_text("There are 4")).to_be_visible(timeout=30_000)


def test_an_mcp_client_lists_and_calls_a_tool(fruitshop: Workspace) -> None:
    url = serve(fruitshop, "fruitshop_mcp.py", "jobs.fruitshop_mcp")
    headers = {"Authorization": f"Bearer {fruitshop.server.api_key}"}

    async def ask() -> tuple[list[str], Any]:
        transport = StreamableHttpTransport(url, headers=headers, httpx_client_factory=_to_this_machine)
        async with Client(transport) as client:
            names = [tool.name for tool in await client.list_tools()]
            return names, (await client.call_tool("pieces_sold", {"fruit": "apple"})).data

    names, pieces = asyncio.run(ask())
    assert names == ["revenue_by_fruit", "pieces_sold"]
    assert pieces > 0


class _ThisMachine(httpx.AsyncHTTPTransport):
    """Not every resolver knows that names below `localhost` are this machine."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        here = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(here)


def _to_this_machine(**options: Any) -> httpx.AsyncClient:
    options.pop("transport", None)
    return httpx.AsyncClient(transport=_ThisMachine(), **options)


def ask(server: Homeport, url: str) -> httpx.Response:
    """As a program does, with a key."""
    host = url.partition("://")[2].partition("/")[0]
    headers = {"Authorization": f"Bearer {server.api_key}", "Host": host}
    port = host.rpartition(":")[2]
    return httpx.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=120)


def test_an_app_outlives_the_server_stops_when_idle_and_wakes_at_a_visit(
    own_server: Homeport, tmp_path: Path, environment: dict[str, str]
) -> None:
    own_server.start()
    workspace = Workspace(tmp_path / "own", own_server, environment).connect()
    workspace.write({"own.py": OWN_SERVER})
    url = serve(workspace, "own.py", "jobs.own.rest")
    assert ask(own_server, url).text == "hello owner@localhost"
    own_server.kill()
    own_server.settings["HOMEPORT_APP_IDLE_SECONDS"] = "2"
    own_server.start()
    assert ask(own_server, url).text == "hello owner@localhost"
    [first] = workspace.runs("rest")
    stopped = until(lambda: workspace.state_of(first["id"])["status"] == "cancelled", what="the idle app to stop")
    assert stopped
    assert ask(own_server, url).text == "hello owner@localhost"
    assert [run["number"] for run in workspace.runs("rest")] == [1, 2]
