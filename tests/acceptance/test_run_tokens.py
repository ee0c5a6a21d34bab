"""Code of a real run that asks the platform, with nothing but what its run was given."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import PYPROJECT, Workspace

pytestmark = pytest.mark.acceptance

FILES = {
    "pyproject.toml": PYPROJECT.replace('<1.32"]', '<1.32", "dlthub-client>=0.28.7", "fastmcp>=3.1"]'),
    "asking.py": """
        import asyncio
        import os
        import time

        import dlthub_sdk
        from dlt.hub import run


        @run.job()
        def other():
            print("the other one")


        def ask():
            runtime = dlthub_sdk.connect(
                token=os.environ["RUNTIME__AUTH_TOKEN"], base_url=os.environ["RUNTIME__API_BASE_URL"]
            )
            place = runtime.workspaces.get(id=os.environ["RUNTIME__WORKSPACE_ID"])
            print("MINE IS", os.environ["RUNTIME__AUTH_TOKEN"])
            print("JOBS", *sorted(job.job_ref for job in place.jobs.list()))
            mine = place.job_runs.get(id=os.environ["RUNTIME__RUN_ID"])
            print("I AM", mine.job_ref, mine.number, mine.status.value)
            print("TOLD", place.telemetry.status().updated_at)
            for what, ask in (
                ("START", lambda: place.jobs.get_by_ref("jobs.asking.other").start_run().number),
                ("VARIABLES", lambda: place.variables.list()),
                ("PAUSE", lambda: place.jobs.get_by_ref("jobs.asking.other").archive().job_ref),
            ):
                try:
                    print(what, "WENT", ask())
                except dlthub_sdk.NotAuthorized as refusal:
                    print(what, "REFUSED", refusal)


        @run.job()
        def look():
            ask()


        @run.job()
        def linger():
            ask()
            print("waiting with", os.environ["RUNTIME__AUTH_TOKEN"][::-1], flush=True)
            time.sleep(600)


        @run.job()
        def converse():
            from fastmcp import Client
            from fastmcp.client.transports import StdioTransport

            async def talk():
                words = ["ai", "mcp", "run", "--stdio", "--no-default-features", "--features", "dlthub.jobs"]
                async with Client(StdioTransport("dlthub", words, env=dict(os.environ))) as client:
                    said = (await client.call_tool("dlthub_this_run", {})).structured_content
                    print("MCP SAYS", said["id"], said["status"])

            asyncio.run(talk())
    """,
    "__deployment__.py": """
        from asking import converse, linger, look, other

        __all__ = ["converse", "linger", "look", "other"]
    """,
}


@pytest.fixture(scope="module")
def place(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    made = new_workspace(server, FILES)
    made.dlthub("deploy")
    return made


def test_a_run_asks_about_its_workspace_and_changes_nothing(place: Workspace) -> None:
    before = place.runs("other")
    run = place.run("look")
    text = place.text(run["id"])
    assert run["status"] == "completed", text
    jobs = "jobs.asking.converse jobs.asking.linger jobs.asking.look jobs.asking.other jobs.workspace.dashboard"
    assert f"JOBS {jobs}" in text
    assert re.search(r"^MINE IS \*+$", text, re.MULTILINE), text
    assert f"I AM jobs.asking.look {run['number']} running" in text
    for what in ("START", "VARIABLES", "PAUSE"):
        assert f"{what} REFUSED A run may not do this" in text, text
    assert place.runs("other") == before


def test_an_agent_of_the_released_client_is_served_in_a_run(place: Workspace) -> None:
    run = place.run("converse")
    assert f"MCP SAYS {run['id']} running" in place.text(run["id"]), place.text(run["id"])


def test_a_run_starts_another_if_its_job_declares_it_and_its_token_dies_with_it(
    place: Workspace, server: Homeport
) -> None:
    job = place.jobs()["jobs.asking.linger"]
    declared = {**job["job_definition"], "access": {"context": ["execute"]}}
    deploy: dict[str, Any] = {
        "job_definition_engine_version": job["job_definition_engine_version"],
        "job_definition_hash": "by hand",
        "jobs": [declared],
        "deployment_module": None,
    }
    server.post(f"/workspaces/{place.id}/-deploy", deploy)
    run = place.trigger("manual:*linger")
    # Backwards, because it would be masked; and /proc shows no environment of a run forked from a warm process.
    token = place.until_said(run["id"], "waiting with").split()[-1][::-1]
    assert not _files_with(server.folder, token.encode())
    assert _asks(server, place, token) == 200
    server.post(f"/workspaces/{place.id}/job-runs/{run['id']}/-cancel", {})
    text = place.text(place.ended(run["id"])["id"])
    assert _asks(server, place, token) == 401
    assert re.search("START WENT [0-9]+", text), text
    assert "PAUSE REFUSED A run may not do this" in text
    assert place.await_run("other")["status"] == "completed"
    assert not _files_with(server.folder, token.encode())


def _asks(server: Homeport, place: Workspace, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}/api/v1/workspaces/{place.id}/jobs", headers=headers).status_code


def _files_with(folder: Path, value: bytes) -> list[Path]:
    """Of all that the server and the runner wrote; environments of runs are not their words."""
    found = []
    for path in folder.rglob("*"):
        if "environments" in path.parts or path.is_symlink() or not path.is_file():
            continue
        try:
            if value in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            continue  # gone meanwhile
    return found
