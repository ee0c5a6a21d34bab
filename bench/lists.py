"""Lists over 10,000 jobs and 1,000,000 runs, on SQLite and PostgreSQL: one connection, one request after another.

The floor is `GET /healthz` of the same server over the same connection, asked just before. PostgreSQL is one of
the tests' own, on this machine and without durability, which reading does not ask for.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench import many_runs
from bench.serving import KEY, Serving, a_folder, server

REQUESTS = 100
IDLE_SECONDS = 20.0


def main() -> None:
    for name in ("sqlite", "postgresql"):
        with a_folder() as folder, _database(name) as url:
            print(f"-- {name}")
            workspace = many_runs.make(folder, url)
            with server(folder / "data", url) as serving:
                _measure(serving, workspace)


@contextmanager
def _database(name: str) -> Iterator[str | None]:
    """The URL of an empty database; none for SQLite in the data folder."""
    if name == "sqlite":
        yield None
        return
    from tests.databases import PostgresCluster, PostgresMissing

    try:
        cluster = PostgresCluster()
    except PostgresMissing as missing:
        raise SystemExit(f"Lists on PostgreSQL cannot be measured: {missing}") from missing
    try:
        with cluster.database(from_template=False) as url:
            yield url
    finally:
        cluster.stop()


def _measure(serving: Serving, workspace: str) -> None:
    with httpx.Client(base_url=serving.url, timeout=120) as http:
        api, key = f"/api/v1/workspaces/{workspace}", {"Authorization": f"Bearer {KEY}"}
        newest = http.get(f"{api}/job-runs?limit=1", headers=key).json()["items"][0]
        job_id, number = newest["job"]["id"], newest["number"] - 3
        origin = {"Origin": serving.url}
        assert http.post("/sign-in", data={"api_key": KEY}, headers=origin).status_code == 303
        print(f"{'ms':<62} {'p50':>7} {'p95':>7} {'processor':>10}   floor {'p50':>5} {'p95':>5} {'bytes':>8}")
        for address in (
            f"{api}/jobs?limit=100&offset=0&is_archived=false",
            f"{api}/jobs?limit=1000&offset=0&is_archived=false",
            f"{api}/job-runs?limit=100&offset=0",
            f"{api}/job-runs?limit=50&offset=0",
            f"{api}/job-runs?limit=1&number={number}&job_id={job_id}",
            f"{api}/job-runs?limit=50&status=failed",
            f"{api}/job-runs?limit=50&trigger_kind=schedule",
            f"{api}/job-runs?limit=50&trigger_kind=manual",
            f"{api}/job-runs?limit=50&q=load_77",
            f"{api}/jobs?limit=50&q=load_77",
            f"/w/{workspace}",
        ):
            _show(serving, http, address.replace(api, "…").replace(job_id, "…"), address, key)
    print(f"processor time while nothing is asked for: {_idle_percent(serving):.2f} % of one core")


def _show(serving: Serving, http: httpx.Client, name: str, address: str, key: dict[str, str]) -> None:
    headers = key if address.startswith("/api/") else {}
    for _ in range(3):
        http.get(address, headers=headers).raise_for_status()
    floor = [_timed(http, "/healthz", {})[0] for _ in range(REQUESTS)]
    used = _processor_seconds(serving)
    answers = [_timed(http, address, headers) for _ in range(REQUESTS)]
    used = (_processor_seconds(serving) - used) / REQUESTS * 1000
    asked, size = [seconds for seconds, _ in answers], answers[-1][1]
    print(
        f"{name[:62]:<62} {_share(asked, 0.5):7.1f} {_share(asked, 0.95):7.1f} {used:10.1f}         "
        f"{_share(floor, 0.5):5.1f} {_share(floor, 0.95):5.1f} {size:8}",
        flush=True,
    )


def _timed(http: httpx.Client, address: str, headers: dict[str, str]) -> tuple[float, int]:
    """Seconds until the whole answer is here, and its bytes."""
    began = time.perf_counter()
    answer = http.get(address, headers=headers)
    seconds = time.perf_counter() - began
    answer.raise_for_status()
    return seconds, len(answer.content)


def _share(seconds: list[float], share: float) -> float:
    """The milliseconds that this share of the requests kept to."""
    return sorted(seconds)[round(share * (len(seconds) - 1))] * 1000


def _idle_percent(serving: Serving) -> float:
    began, used = time.monotonic(), _processor_seconds(serving)
    time.sleep(IDLE_SECONDS)
    return (_processor_seconds(serving) - used) / (time.monotonic() - began) * 100


def _processor_seconds(serving: Serving) -> float:
    """Of the server's process so far, in user and system."""
    fields = Path(f"/proc/{serving.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
