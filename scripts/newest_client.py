"""Runs the conformance suite with the newest `dlthub-client` of the package index, and tells what differs.

`make conformance-newest` calls it. It reports and never fails: a newer client is news, not a fault of a commit.
"""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).parent / "uv"
PACKAGE = "dlthub-client"
GROUPS = ("--extra", "server", "--extra", "postgres", "--group", "dev")


def main() -> None:
    pinned = version(PACKAGE)
    newest = _newest()
    if newest is None:
        print(f"The package index does not say which {PACKAGE} is newest; nothing was run.")
    elif newest == pinned:
        print(f"{PACKAGE} {pinned} is pinned and is the newest; make test has run the suite with it.")
    else:
        print(f"{PACKAGE} {newest} is out ({pinned} is pinned); running the suite with it ...", flush=True)
        print(_report(newest))


def _newest() -> str | None:
    """What a fresh installation would take, as far as our other requirements let it."""
    command = [UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps", "-"]
    done = subprocess.run(command, input=PACKAGE, capture_output=True, text=True, cwd=tempfile.gettempdir())
    found = re.search(rf"^{PACKAGE}==(\S+)", done.stdout, re.MULTILINE)
    return found[1] if found else None


def _report(newest: str) -> str:
    with tempfile.TemporaryDirectory(prefix="homeport-newest-") as folder:
        lines = Path(folder) / "requirements.txt"
        export = [UV, "export", "--quiet", "--frozen", "--no-hashes", "--no-emit-project", *GROUPS]
        pinned = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        lines.write_text(re.sub(rf"^{PACKAGE}==[^\s;]+", f"{PACKAGE}=={newest}", pinned, flags=re.MULTILINE))
        python = Path(folder) / "venv" / "bin" / "python"
        for command in (
            [UV, "venv", "--quiet", "--python", sys.executable, python.parents[1]],
            [UV, "pip", "install", "--quiet", "--python", python, "-r", lines, "-e", ROOT],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                return f"It could not be installed beside what is pinned:\n{done.stderr}"
        suite = [python, "-m", "pytest", "-q", "-rfE", "--tb=line", "-n", "2", "tests/conformance"]
        done = subprocess.run(suite, cwd=ROOT, capture_output=True, text=True)
    differences = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "E  "))]
    summary = done.stdout.strip().rpartition("\n")[2]
    return "\n".join([*differences, f"With {PACKAGE} {newest}: {summary or done.stderr}"])


if __name__ == "__main__":
    main()
