"""How fast the lines of a run are kept while somebody reads them, and what each costs in processor time.

The run prints unbuffered, as runs do. The floor is the same program with nobody but `cat` at the other end.
"""

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.runs import Platform, await_quiet, datetime_seconds, floor_command
from bench.serving import a_folder, deploy, server

LINES = 500_000
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Read:
    """What a reader got."""

    blocks: list[bytes] = field(default_factory=list)
    first_at: float = 0.0
    last_at: float = 0.0

    def check(self) -> None:
        """Afterwards: a reader that looks at every line would be the slowest part."""
        events = [event for event in b"".join(self.blocks).split(b"\n\n") if b'"source":"user"' in event]
        wrong = [number for number, event in enumerate(events) if b'"content":"line %d ' % number not in event]
        if wrong or len(events) != LINES:
            raise RuntimeError(f"{len(events)} lines were read, out of order from line {wrong[:1]}")

    @property
    def seconds(self) -> float:
        return self.last_at - self.first_at


def follow(at: Platform, run_id: str, read: Read) -> None:
    """Take the stream to its end."""
    token = at.http.post("/-issue-dataplane-token").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with at.logs.stream("GET", f"/job-runs/{run_id}/log-stream", headers=headers) as stream:
        for block in stream.iter_raw():
            if b'"source":"user"' in block:
                read.first_at = read.first_at or time.time()
                read.last_at = time.time()
            read.blocks.append(block)


def processor_seconds(pid: int) -> float:
    """Of a process and of its children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def floor(at: Platform) -> float:
    """Seconds that the plain launcher takes for all lines, read by `cat`."""
    with a_folder() as root:
        command, environment = floor_command(at, "print_fast", root / "floor")
        began = time.time()
        with subprocess.Popen(command, cwd=root / "floor", stdout=subprocess.PIPE, env=environment) as process:
            subprocess.run(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL, check=True)
        return time.time() - began


def main() -> None:
    with a_folder() as folder, server(folder / "data") as serving:
        at = Platform(serving.url, deploy(serving.url, folder / "bench"), folder / "data")
        at.finished(at.start("hello"))
        await_quiet(at)
        print(f"{LINES} lines; load before: {os.getloadavg()[0]:.1f}")
        print(f"floor: plain launcher and cat: {LINES / floor(at):>8.0f} lines/s")
        for readers in (0, 1, 3):
            run_with(at, serving.process.pid, readers)


def run_with(at: Platform, pid: int, readers: int) -> None:
    reads = [Read() for _ in range(readers)]
    before = processor_seconds(pid)
    run_id = at.start("print_fast")
    threads = [threading.Thread(target=follow, args=(at, run_id, read)) for read in reads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (run := at.run(run_id))["finished_at"] is None:
        time.sleep(0.25)  # a look costs the server as much as hundreds of lines
    spent = (processor_seconds(pid) - before) / LINES * 1e6
    for read in reads:
        read.check()
    attempt = at.http.get(f"/job-runs/{run_id}/attempts").json()["items"][0]
    if attempt["line_count"] < LINES:
        raise RuntimeError(f"only {attempt['line_count']} lines were kept")
    # from the start of its process until all of its lines are kept and its end is known
    seconds = datetime_seconds(run["finished_at"]) - datetime_seconds(attempt["started_at"])
    slowest = max((read.seconds for read in reads), default=0.0)
    reading = f"; its slowest reader {LINES / slowest:.0f}" if reads else ""
    print(
        f"with {readers} readers: {LINES / seconds:>8.0f} lines/s kept{reading}; server {spent:.1f} us CPU a line"
    )
