"""Notebooks, dashboards, MCP servers: deployed by the real command, used with a browser and an MCP client."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from playwright.sync_api import expect

from .apps import ask, mcp_at, press, serve
from .browsers import browser, sign_in
from .cables import cable
from .conftest import NewWorkspace
from .other_machine import lone_network
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

NOTEBOOK = """
    import marimo

    app = marimo.App()


    @app.cell
    def _():
        import marimo as mo

        number = mo.ui.slider(0, 10, value=3)
        number
        return mo, number


    @app.cell
    def _(mo, number):
        mo.md(f"It is {number.value}")


    if __name__ == "__main__":
        app.run()
"""

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


def test_a_notebook_is_used_through_the_proxy(fruitshop: Workspace) -> None:
    """Over what `prod` loaded; a control is moved."""
    url = serve(fruitshop, "fruitshop_notebook.py", "jobs.fruitshop_notebook")
    with browser() as page:
        page.goto(url)
        sign_in(page, fruitshop.server)
        page.wait_for_url(url)
        expect(page.get_by_text("5 fruits")).to_be_visible(timeout=60_000)
        press(page, "ArrowRight", 12)
        expect(page.get_by_text("5 fruits")).to_have_count(0, timeout=30_000)
        page.reload()
        expect(page.get_by_text("5 fruits")).to_be_visible(timeout=60_000)


def test_a_notebook_goes_on_by_itself_after_its_connection_was_cut(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    """Without a reload, and with what its visitor had set."""
    with cable() as to_server:
        own_server.settings["HOMEPORT_PUBLIC_URL"] = f"http://localhost:{to_server.port}"
        own_server.port = to_server.server_port
        workspace = new_workspace(own_server.start(), {"shown.py": NOTEBOOK})
        url = serve(workspace, "shown.py", "jobs.shown")
        with browser() as page:
            page.goto(url)
            sign_in(page, own_server)
            expect(page.get_by_text("It is 3")).to_be_visible(timeout=60_000)
            press(page, "ArrowRight", 1)
            expect(page.get_by_text("It is 4")).to_be_visible(timeout=30_000)
            assert to_server.cut() > 0
            press(page, "ArrowRight", 1)
            page.wait_for_timeout(3_000)
            expect(page.get_by_text("It is 5")).to_have_count(0)
            to_server.mend()

            def goes_on() -> bool:
                # what was moved while nobody heard is lost: it is moved again
                press(page, "Home", 1)
                press(page, "ArrowRight", 1)
                page.wait_for_timeout(500)
                return page.get_by_text("It is 1").count() > 0

            until(goes_on, what="the notebook to hear its visitor again")


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

    async def ask() -> tuple[list[str], Any]:
        async with Client(mcp_at(fruitshop.server, url)) as client:
            names = [tool.name for tool in await client.list_tools()]
            return names, (await client.call_tool("pieces_sold", {"fruit": "apple"})).data

    names, pieces = asyncio.run(ask())
    assert names == ["revenue_by_fruit", "pieces_sold"]
    assert pieces > 0


def test_a_notebook_works_with_the_network_cut(own_server: Homeport, new_workspace: NewWorkspace) -> None:
    """Server, app and browser have the loopback of a network of their own, and nothing else."""
    workspace = new_workspace(own_server.start(), {"shown.py": NOTEBOOK})
    url = serve(workspace, "shown.py", "jobs.shown")  # with the network, for its environment is built
    [run] = workspace.runs("shown")
    own_server.post(f"/workspaces/{workspace.id}/job-runs/{run['id']}/-cancel", {})
    workspace.ended(run["id"])
    own_server.stop()
    with lone_network() as inside:
        own_server.start(inside)
        with browser(inside=inside) as page:
            page.goto(url)
            sign_in(page, own_server)
            expect(page.get_by_text("It is 3")).to_be_visible(timeout=60_000)
            press(page, "ArrowRight", 1)
            expect(page.get_by_text("It is 4")).to_be_visible(timeout=30_000)


def test_an_app_outlives_the_server_stops_when_idle_and_wakes_at_a_visit(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    workspace = new_workspace(own_server.start(), {"own.py": OWN_SERVER})
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
