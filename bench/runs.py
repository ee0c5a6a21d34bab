"""What Homeport adds to a run, with the plain launcher as floor beside it in the same session.

The machine is noisy: every figure is a median of several tries, with the fastest and the slowest.
"""

import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench import cost
from bench.serving import HERE, KEY, a_folder, deploy, server

TRIES = 7
STARTS = 40
BURST = 40
REST = 60.0


class Platform:
    """A running server with the bench workspace deployed."""

    def __init__(self, url: str, workspace: str, data: Path) -> None:
        self.data = data
        self.http = httpx.Client(
            base_url=f"{url}/api/v1/workspaces/{workspace}",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=120,
        )
        self.logs = httpx.Client(base_url=f"{url}/logs/v1/workspaces/{workspace}", timeout=120)
        jobs = self.http.get("/jobs?limit=1000").json()["items"]
        self.ids = {job["job_ref"].rpartition(".")[2]: job["id"] for job in jobs}

    def start(self, name: str) -> str:
        answer = self.http.post("/job-runs", json={"job_id": self.ids[name], "trigger": "manual:"})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/job-runs/{run_id}").json()
        return found

    def user_lines(self, run_id: str) -> Iterator[str]:
        """The run's own lines, as a reader who follows gets them."""
        token = self.http.post("/-issue-dataplane-token").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        with self.logs.stream("GET", f"/job-runs/{run_id}/log-stream", headers=headers) as stream:
            for text in stream.iter_lines():
                if text.startswith("data:") and (line := json.loads(text[5:]))["source"] == "user":
                    yield line["content"]

    def first_user_line(self, run_id: str) -> float:
        """Seconds since the epoch at which the run's own first line reached a reader."""
        for _ in self.user_lines(run_id):
            return time.time()
        raise RuntimeError(f"run {run_id} said nothing")

    def finished(self, run_id: str, as_: str = "completed") -> dict[str, Any]:
        while (run := self.run(run_id))["finished_at"] is None:
            time.sleep(0.01)
        if run["status"] != as_:
            raise RuntimeError(f"run {run_id} is {run['status']}")
        return run


@contextmanager
def platform() -> Iterator[Platform]:
    with a_folder() as folder, server(folder / "data") as serving:
        pinned = deploy(serving.url, folder / "bench")
        yield Platform(serving.url, pinned, folder / "data")


def measure(take: Callable[[], float], tries: int = TRIES) -> list[float]:
    return sorted(take() for _ in range(tries))


def floor_command(at: Platform, function: str, root: Path) -> tuple[list[str], dict[str, str]]:
    """The plain launcher in the run's own environment, on a copy of the workspace in `root`."""
    python = next((at.data / "node" / "environments").glob("*/bin/python"))
    shutil.copytree(HERE / "workspace", root, dirs_exist_ok=True)
    point = {"module": "bench_jobs", "function": function, "job_type": "batch"}
    point["job_ref"] = f"jobs.bench_jobs.{function}"
    command = [str(python), "-u", "-m", "dlt._workspace.deployment.launchers.job", "--run-id", "floor"]
    command += ["--trigger", "manual:", "--entry-point", json.dumps(point)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "WORKSPACE__PROFILE": "prod"}
    environment["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    return command, environment


def floor(at: Platform, function: str) -> tuple[float, float]:
    """The plain launcher in the run's own environment: seconds to its first line, and to its end."""
    root = Path(tempfile.mkdtemp(prefix="homeport-floor-"))
    command, environment = floor_command(at, function, root)
    began = time.time()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    process.stdout.readline()
    first = time.time() - began
    process.communicate()
    shutil.rmtree(root)
    return first, time.time() - began


def to_first_line(at: Platform) -> float:
    began = time.time()
    run_id = at.start("hello")
    seconds = at.first_user_line(run_id) - began
    at.finished(run_id)
    await_quiet(at)
    return seconds


def to_finished_load(at: Platform) -> float:
    began = time.time()
    at.finished(at.start("load_few"))
    return time.time() - began


def to_follow_up(at: Platform) -> float:
    """From the end of a job to the first line of the one that follows it."""
    run = at.finished(at.start("hello"))
    while not (found := at.http.get(f"/job-runs?previous_job_run_id={run['id']}").json()["items"]):
        time.sleep(0.005)
    ended = datetime_seconds(run["finished_at"])
    seconds = at.first_user_line(found[0]["id"]) - ended
    await_quiet(at)
    return seconds


def to_cancel(at: Platform) -> float:
    """From the request to cancel until the run's process has got SIGTERM, by its own word."""
    run_id = at.start("obeys")
    lines = at.user_lines(run_id)
    next(lines)
    asked = time.time()
    at.http.post(f"/job-runs/{run_id}/-cancel").raise_for_status()
    told = float(next(lines))
    lines.close()
    at.finished(run_id, as_="cancelled")
    await_quiet(at)
    return told - asked


def burst(at: Platform) -> tuple[float, float]:
    """When many are asked for at once: runs a minute, and processor seconds a run of everything that took part."""
    began, spent = time.time(), cost.cpu_seconds()
    for run_id in [at.start("many") for _ in range(BURST)]:
        at.finished(run_id)
    seconds = time.time() - began
    await_quiet(at)
    return BURST / seconds * 60, (cost.cpu_seconds() - spent) / BURST


def rest() -> tuple[float, float]:
    """With one environment warm and nothing to do: share of a core in percent, proportional memory in MB."""
    time.sleep(5)  # what the last run left to do
    spent = cost.cpu_seconds()
    time.sleep(REST)
    return (cost.cpu_seconds() - spent) / REST * 100, cost.proportional_megabytes()


def await_quiet(at: Platform) -> None:
    active = "/job-runs?status=pending&status=starting&status=running&limit=1"
    while at.http.get(active).json()["total"]:
        time.sleep(0.02)


def datetime_seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def show(name: str, values: list[float], unit: str = "s", digits: int = 2) -> None:
    middle, late = statistics.median(values), values[math.ceil(len(values) * 0.95) - 1]
    first, last, tries = f"{values[0]:.{digits}f}", f"{values[-1]:.{digits}f}", len(values)
    spread = f"{late:8.{digits}f}   ({first} … {last}, {tries})" if tries > 1 else ""
    print(f"{name:<62} {middle:8.{digits}f} {unit:<5}{spread}")


def main() -> None:
    cost.adopt_orphans()
    with platform() as at:
        began = time.time()
        at.finished(at.start("hello"))
        show("first run of all, its environment built from uv's cache", [time.time() - began])
        await_quiet(at)
        print(f"\n{'':<62} {'median':>8} {'95 %':>13}   (fastest … slowest, tries)")
        spent = cost.cpu_seconds()
        show("floor: plain launcher to its first line", measure(lambda: floor(at, "hello")[0]))
        plain = (cost.cpu_seconds() - spent) / TRIES
        show("trigger over HTTP to the first line at a reader", measure(lambda: to_first_line(at), STARTS))
        show("floor: plain launcher, a small DuckDB load, to its end", measure(lambda: floor(at, "load_few")[1]))
        show("trigger over HTTP to the same load recorded as finished", measure(lambda: to_finished_load(at)))
        show("end of a job to the first line of the one that follows", measure(lambda: to_follow_up(at)))
        show("request to cancel to SIGTERM in the run's process", measure(lambda: to_cancel(at), STARTS), "s", 3)
        a_minute, each = burst(at)
        show(f"{BURST} one-line runs at once", [a_minute], "/min")
        show("  processor time of one, everything counted", [each], "s")
        show("  floor: of the plain launcher", [plain], "s")
        share, memory = rest()
        show("at rest, one environment warm: share of a core", [share], "%")
        show("  proportional memory", [memory], "MB")
