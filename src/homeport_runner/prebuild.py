"""Builds one environment before a run needs it: `python -I -S -c BUILD_BOOT <source folder>`, the order on stdin.

    {"environment": {…as in a launch…}, "secrets": ["…"]}

Nobody waits for it, and it waits for nobody: where somebody builds the same already, it leaves. A run that comes
in the meantime waits for this build and reads along. SIGTERM ends it, and leaves nothing that counts as built.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from homeport_runner.environment import build_ahead
from homeport_runner.launch import UnusableLaunch, parse_environment
from homeport_runner.masking import Masking
from homeport_runner.node import Node, NoNode, make_private, remove
from homeport_runner.orders import Orders, Stopped
from homeport_runner.process import Tethered
from homeport_runner.setup_failed import SetupFailed
from homeport_runner.spool import Spool
from homeport_runner.uv import Uv

DONE = 0
FAILED = 1
"""The reason is kept beside the environment, for the run that will ask."""
MISUSED = 64
_NICENESS = 10
_MOST_SECONDS = 3600
_MOST_LOG = 16 * 1024 * 1024


def main() -> int:
    os.nice(_NICENESS)
    tethered = Tethered()
    # Runs wait for this build, and the next ones for their turn: what hangs must not hang for good. Who is killed
    # by the alarm takes uv with it, and a run that waits builds by itself.
    signal.alarm(_MOST_SECONDS)
    orders = Orders()
    orders.obey_signals()
    try:
        node = Node.from_variables(os.environ)
        order = json.load(sys.stdin)
        wanted = parse_environment(order["environment"])
        masking = Masking(order["secrets"])
    except (NoNode, UnusableLaunch, ValueError, LookupError, TypeError) as error:
        sys.stderr.write(f"homeport build: it was started the wrong way: {type(error).__name__}\n")
        return MISUSED
    folder = Path(tempfile.mkdtemp(dir=make_private(node.builds)))
    try:
        # nobody fetches these lines: who is interested has the file beside the environment
        spool = Spool(make_private(folder / "spool"), log_limit=_MOST_LOG, masking=masking)
        uv = Uv(node.uv, make_private(folder / "build"), tethered, spool, orders)
        build_ahead(node.environments, wanted, uv, spool)
    except SetupFailed as error:
        sys.stderr.write(masking.text(f"homeport build: {error}\n"))
        return FAILED
    except Stopped:
        return DONE
    finally:
        tethered.bring_down()
        remove(folder)
    return DONE
