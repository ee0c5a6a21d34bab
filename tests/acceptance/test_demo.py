"""`homeport demo` shows a pipeline deployed and run, from nothing."""

import re
import subprocess
from pathlib import Path

import pytest

from .servers import BIN

pytestmark = pytest.mark.acceptance


def test_the_demo_prints_the_rows_it_has_loaded_and_cleans_up(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "demo"
    done = subprocess.run(
        [BIN / "homeport", "demo", "--exit", "--dir", str(folder)],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout
    for table, rows in (("customers", 9), ("inventory", 5), ("purchases", 100)):
        assert re.search(rf"^ +{table} +{rows}$", done.stdout, re.MULTILINE), done.stdout
    assert not folder.exists()
