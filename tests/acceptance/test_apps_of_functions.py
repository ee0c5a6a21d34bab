"""Apps that are functions: they serve on the port that they are given, or return what is to be served."""

import asyncio

import pytest
from fastmcp import Client

from .apps import ask, mcp_at
from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import PYPROJECT, Workspace

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

FUNCTIONS = """
    import uvicorn
    from dlt.hub import run
    from fastmcp import FastMCP
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    @run.interactive()
    def rest(run_context):
        async def hello(request):
            return JSONResponse({"hello": request.headers["x-homeport-user"], "path": request.url.path})

        app = Starlette(routes=[Route("/{path:path}", hello)])
        uvicorn.run(app, host="127.0.0.1", port=run_context["run_args"]["port"])

    @run.interactive(interface="mcp")
    def tools():
        mcp = FastMCP("tools")

        @mcp.tool
        def double(number: int) -> int:
            return 2 * number

        return mcp
"""


@pytest.fixture(scope="module")
def functions(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    files = {
        "pyproject.toml": PYPROJECT.replace('"]', '", "fastmcp", "starlette", "uvicorn"]'),
        "functions.py": FUNCTIONS,
        "__deployment__.py": "from functions import rest, tools\n\n__all__ = ['rest', 'tools']\n",
    }
    workspace = new_workspace(server, files)
    workspace.dlthub("deploy")
    return workspace


def url_of(workspace: Workspace, job: str) -> str:
    return str(workspace.jobs()[f"jobs.functions.{job}"]["job_url"])


def test_an_asgi_app_that_listens_on_its_port_is_served(functions: Workspace) -> None:
    url = url_of(functions, "rest") + "some/where"
    assert ask(functions.server, url).json() == {"hello": "owner@localhost", "path": "/some/where"}


def test_a_function_that_returns_a_server_of_tools_is_served(functions: Workspace) -> None:
    url = url_of(functions, "tools")
    assert url.endswith("/mcp")
    ask(functions.server, url)  # whoever comes first waits until it has started

    async def doubled() -> int:
        async with Client(mcp_at(functions.server, url)) as client:
            return int((await client.call_tool("double", {"number": 21})).data)

    assert asyncio.run(doubled()) == 42
