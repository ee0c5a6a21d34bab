"""What tests of apps have in common: they are served by the real command, and asked as a program asks."""

from typing import Any

import httpx
from fastmcp.client.transports import StreamableHttpTransport
from playwright.sync_api import Page

from ..this_machine import to_this_machine
from .servers import Homeport
from .workspaces import Workspace


def serve(workspace: Workspace, file: str, job: str) -> str:
    """Serve a file with the real command; the address of its app once that answers."""
    workspace.dlthub("serve", file)
    [run] = [run for run in workspace.get("/job-runs", limit=100)["items"] if run["job"]["job_ref"] == job]
    workspace.in_status(run["id"], "running")
    return str(workspace.jobs()[job]["job_url"])


def press(page: Page, key: str, times: int) -> None:
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)


def ask(server: Homeport, url: str) -> httpx.Response:
    """As a program does, with a key; the first visit starts the app."""
    address = httpx.URL(url)
    headers = {"Authorization": f"Bearer {server.api_key}", "Host": address.netloc.decode()}
    return httpx.get(address.copy_with(host="127.0.0.1"), headers=headers, timeout=120)


def mcp_at(server: Homeport, url: str) -> StreamableHttpTransport:
    """For an MCP client that has a key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return StreamableHttpTransport(url, headers=headers, httpx_client_factory=_to_this_machine)


class _ThisMachine(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await super().handle_async_request(to_this_machine(request))


def _to_this_machine(**options: Any) -> httpx.AsyncClient:
    options.pop("transport", None)
    return httpx.AsyncClient(transport=_ThisMachine(), **options)
