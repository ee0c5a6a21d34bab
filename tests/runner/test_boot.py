"""The command line of a runner, which engines and `ps` get to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from homeport_runner import boot


def test_the_command_line_is_isolated_from_the_users_python() -> None:
    assert boot.argv("python3", "/source", "http://server", "hp-1-1", "ticket") == [
        "python3", "-I", "-S", "-c", boot.BOOT, "/source", "http://server", "hp-1-1", "ticket",
    ]  # fmt: skip


def test_the_source_folder_does_not_shadow_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    package = tmp_path / "homeport_runner"
    package.mkdir()
    (package / "main.py").write_text("import json\ndef main(argv): print(argv); return 3")
    command = boot.argv(sys.executable, str(tmp_path), "url", "attempt", "ticket")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("['url', 'attempt', 'ticket']\n", 3)


def test_the_runner_needs_the_standard_library_only() -> None:
    """Under `-S` there is no site-packages to find anything else in."""
    source = str(Path(boot.__file__).parent.parent)
    check = (
        "import sys; sys.path.append(sys.argv[1]); import homeport_runner.main; "
        "print([m for m in sys.modules if m.split('.')[0] == 'homeport'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", check, source], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
