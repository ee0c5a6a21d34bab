"""What this machine has, or the container that we are in."""

import os
from pathlib import Path

import pytest

from homeport.execution import machine

GIB = 1024**3


def container(folder: Path, groups: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Control groups and /proc as a container shows them."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "cgroup", folder / "proc"


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    found = container(tmp_path, "0::/\n", {"memory.max": "max\n", "cpu.max": "max 100000\n"})
    assert machine.memory_bytes(*found) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.cpus(*found) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/\n", {"memory.max": f"{GIB // 2}\n", "cpu.max": "50000 100000\n"}),
        (
            "0::/a/b\n",
            {"a/memory.max": f"{GIB // 2}\n", "a/b/memory.max": "max\n", "a/b/cpu.max": "50000 100000\n"},
        ),
        (
            "4:memory:/a\n2:cpu,cpuacct:/\n0::/\n",
            {
                "memory/a/memory.limit_in_bytes": f"{GIB // 2}\n",
                "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
        ),
    ],
)
def test_the_limits_of_control_groups_hold(tmp_path: Path, groups: str, files: dict[str, str]) -> None:
    found = container(tmp_path, groups, files)
    assert machine.memory_bytes(*found) == GIB // 2
    assert machine.cpus(*found) == 0.5


def test_a_machine_has_a_name_that_stays() -> None:
    assert machine.identity() == machine.identity()
    assert 0 < len(machine.identity()) <= 64
