"""What the proxy adds to a request of an app, with the app reached directly as floor beside it.

Direct and proxied requests take turns, so that both meet the same noise. Goals: a median of less than 3 ms more,
and half of the app's throughput.
"""

import http.client
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from bench.runs import platform
from bench.serving import KEY

REQUESTS = 1000
DOWNLOADS = 9
SIZE = 256 * 1024 * 1024


class Visitor:
    """One kept connection."""

    def __init__(self, port: int, host: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Host": host, "Authorization": f"Bearer {KEY}"}

    def get(self, size: int, chunked: str = "") -> http.client.HTTPResponse:
        self._connection.request("GET", f"/{size}{chunked}", headers=self._headers)
        answer = self._connection.getresponse()
        buffer, got = bytearray(1 << 20), 0
        while count := answer.readinto(buffer):
            got += count
        assert (answer.status, got) == (200, size)
        return answer


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    with platform() as at:
        job = next(
            job for job in at.http.get("/jobs?limit=1000").json()["items"] if job["job_ref"].endswith(".app")
        )
        host = urlsplit(job["job_url"]).netloc
        proxied = Visitor(int(host.rpartition(":")[2]), host)
        # starts the app, and waits for it
        direct = Visitor(int(proxied.get(0).headers["X-Port"]), host)
        small: dict[str, list[float]] = {"direct": [], "proxied": []}
        for _ in range(REQUESTS):
            small["direct"].append(seconds(lambda: direct.get(1024)))
            small["proxied"].append(seconds(lambda: proxied.get(1024)))
        large: dict[str, dict[str, list[float]]] = {}
        for chunked in ("", "/chunked"):
            taken = large[chunked] = {"direct": [], "proxied": []}
            for _ in range(DOWNLOADS):
                taken["direct"].append(seconds(partial(direct.get, SIZE, chunked)))
                taken["proxied"].append(seconds(partial(proxied.get, SIZE, chunked)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, taken in small.items():
        cut = statistics.quantiles(taken, n=20)
        print(f"1 KiB {name:8} p50 {statistics.median(taken) * 1000:6.2f} ms   p95 {cut[18] * 1000:6.2f} ms")
    added = statistics.median(small["proxied"]) - statistics.median(small["direct"])
    print(f"added: {added * 1000:.2f} ms (goal: less than 3)")
    for chunked, taken in large.items():
        speed = {name: SIZE / statistics.median(times) / 1024**2 for name, times in taken.items()}
        share = speed["proxied"] / speed["direct"]
        what = f"{SIZE >> 20} MiB{' in chunks of 64 KiB' if chunked else ''}"
        print(f"{what}: {speed['proxied']:.0f} of {speed['direct']:.0f} MiB/s, {share:.0%} (goal: 50 %)")
