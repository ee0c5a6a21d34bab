"""A real dlt workspace in a folder, driven by the real `dlthub` command."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from .servers import BIN, DEADLINE, Homeport, until

OVER = ("completed", "failed", "cancelled", "skipped")

PYPROJECT = """
[project]
name = "workspace"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["dlt[duckdb]>=1.31,<1.32"]

[tool.uv]
package = false
"""

CONFIG = """
[workspace.settings]
name = "{name}"

[runtime]
dlthub_telemetry = false
api_base_url = "{url}"
workspace_id = "{id}"
organization_id = "{organization}"

[destination.warehouse]
destination_type = "duckdb"
"""


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end."""

    exit_code: int
    output: str


class Workspace:
    def __init__(self, folder: Path, server: Homeport, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.server = server
        self.id = ""
        self._environment = dict(environment)
        folder.mkdir()

    def connect(self) -> "Workspace":
        """What `homeport connect --create` does, without the process."""
        organization = self.server.organization_id()
        body = {"name": self.folder.name, "description": None}
        self.id = self.server.post(f"/organizations/{organization}/workspaces", body)["id"]
        self.write(
            {
                "pyproject.toml": PYPROJECT,
                ".dlt/.workspace": "",
                ".dlt/config.toml": CONFIG.format(
                    name=self.folder.name, url=self.server.url, id=self.id, organization=organization
                ),
                ".dlt/secrets.toml": f'[runtime]\napi_key = "{self.server.api_key}"\n',
            }
        )
        return self

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"))

    def call(self, *command: str, **environment: str) -> Ended:
        """A command in the workspace's folder; whatever comes of it."""
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * DEADLINE,
        )
        return Ended(done.returncode, done.stdout)

    def dlthub(self, *words: str, **environment: str) -> str:
        """What the command prints; it must succeed."""
        ended = self.call("dlthub", *words, **environment)
        assert ended.exit_code == 0, ended.output
        return ended.output

    def refused(self, *words: str, **environment: str) -> str:
        """What the command prints; it must not succeed, nor fall over."""
        ended = self.call("dlthub", *words, **environment)
        assert ended.exit_code != 0, ended.output
        assert "Traceback (most recent call last)" not in ended.output, ended.output
        return ended.output

    def popen(self, *words: str) -> "subprocess.Popen[str]":
        """The command as it goes on; for those that follow."""
        return subprocess.Popen(
            [BIN / "dlthub", *words],
            cwd=self.folder,
            env=self._environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # What the server says, without a command in between

    def get(self, path: str, **parameters: Any) -> Any:
        return self.server.get(f"/workspaces/{self.id}{path}", **parameters)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """By ref, archived ones too."""
        return {str(job["job_ref"]): job for job in self.get("/jobs", limit=1000)["items"]}

    def live_jobs(self) -> set[str]:
        return {ref for ref, job in self.jobs().items() if not job["is_archived"]}

    def trigger(self, *selectors: str, **request: Any) -> dict[str, Any]:
        """Start the jobs that are named, and expect exactly one run."""
        body = {"dry_run": False, "selectors": list(selectors), "refresh": False, **request}
        receipt = self.server.post(f"/workspaces/{self.id}/jobs/-trigger", body)
        [row] = receipt["succeeded"]
        return dict(row["job_run"])

    def run(self, name: str, **request: Any) -> dict[str, Any]:
        """Start a job by its name and wait for the end of its run."""
        return self.ended(self.trigger(f"manual:*{name}", **request)["id"])

    def runs(self, name: str = "") -> list[dict[str, Any]]:
        """Oldest first; of one job, or of all."""
        found = self.get("/job-runs", limit=1000)["items"]
        return [run for run in reversed(found) if run["job"]["job_ref"].endswith(name)]

    def state_of(self, run_id: str) -> dict[str, Any]:
        return dict(self.get(f"/job-runs/{run_id}"))

    def in_status(self, run_id: str, *statuses: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run = self.state_of(run_id)
            assert run["status"] in statuses or run["status"] not in OVER, (run, self.text(run_id))
            return run if run["status"] in statuses else None

        return until(look, what=f"run {run_id} to be {' or '.join(statuses)}")

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.in_status(run_id, *OVER)

    def await_run(self, name: str, number: int = 1) -> dict[str, Any]:
        """The end of a run that something else starts."""
        run = until(lambda: next((r for r in self.runs(name) if r["number"] == number), None), what=name)
        return self.ended(run["id"])

    def lines(self, run_id: str) -> list[dict[str, Any]]:
        """The whole log of a run that is over."""
        with self._log(run_id, "logs") as answer:
            answer.read()
            assert answer.status_code == 200, answer.text
            # not `splitlines`: lines of a log may hold any character
            return [json.loads(line) for line in answer.text.split("\n") if line]

    def text(self, run_id: str) -> str:
        return "\n".join(str(line["content"]) for line in self.lines(run_id))

    def until_said(self, run_id: str, words: str) -> str:
        """Follow the log of a run until a line holds these words; the answer is that line."""
        with self._log(run_id, "log-stream") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: ") and words in (content := json.loads(line[6:])["content"]):
                    return str(content)
        raise AssertionError(f"the run ended without a word of {words!r}:\n{self.text(run_id)}")

    def _log(self, run_id: str, kind: str) -> AbstractContextManager[httpx.Response]:
        token = self.server.post(f"/workspaces/{self.id}/-issue-dataplane-token", {})["token"]
        path = f"/logs/v1/workspaces/{self.id}/job-runs/{run_id}/{kind}"
        return self.server.http.stream("GET", path, headers={"Authorization": f"Bearer {token}"})
