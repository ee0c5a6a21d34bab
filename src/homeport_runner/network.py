"""Which network this process is in: who names the same one reaches the same ports at the loopback address."""

from __future__ import annotations

import os


def name() -> str | None:
    """The same for all processes of one network namespace since this machine was started, and for no others; none
    where the machine does not tell (Linux does).
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot_id:
            return f"{boot_id.read().strip()}.{os.stat('/proc/self/ns/net').st_ino}"
    except OSError:
        return None
