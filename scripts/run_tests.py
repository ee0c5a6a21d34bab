"""Runs every test, one worker per core (eight at most).

`make test` and CI call it. Arguments go to pytest.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    workers = str(min(os.cpu_count() or 1, 8))
    command = [sys.executable, "-m", "pytest", "-n", workers, "--dist", "worksteal"]
    # the dearest ones, for whoever wants the suite to be quick
    command += ["--durations=20", "--durations-min=10", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
