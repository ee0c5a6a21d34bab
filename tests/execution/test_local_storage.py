"""The size of local data is counted in small steps, whatever is in it and whatever happens meanwhile."""

import os
import shutil
from pathlib import Path

from homeport.execution.engines import Stored
from homeport.execution.engines.local import LocalEngine

ID = "6f0c2e1a-93b7-4d0e-8a54-1f7be3c9d2aa"


def test_files_count_at_every_depth_and_links_for_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "workspaces" / ID / "prod"
    (folder / "bucket" / "table").mkdir(parents=True)
    (folder / "shop.duckdb").write_bytes(b"x" * 5000)
    (folder / "bucket" / "table" / "1.parquet").write_bytes(b"x" * 70)
    (folder / "bucket" / "round").symlink_to(folder)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 100_000)
    (folder / "elsewhere").symlink_to(large)
    (tmp_path / "workspaces" / ID / "linked").symlink_to(folder)
    (tmp_path / "workspaces" / "not-a-workspace" / "prod").mkdir(parents=True)
    (tmp_path / "workspaces" / "a file").write_text("")
    engine = LocalEngine(tmp_path)
    assert engine.storages() == {f"{ID}/prod"}
    links = sum(len(os.readlink(folder / name)) for name in ("bucket/round", "elsewhere"))
    assert list(engine.measure(f"{ID}/prod"))[-1] == Stored(5070 + links, 4)


def test_many_files_are_counted_in_steps_and_may_vanish_between_them(tmp_path: Path) -> None:
    folder = tmp_path / "workspaces" / ID / "prod"
    for number in range(3):
        (folder / str(number)).mkdir(parents=True)
        for file in range(2_500):
            (folder / str(number) / str(file)).touch()
    engine = LocalEngine(tmp_path)
    counted = [found.file_count for found in engine.measure(f"{ID}/prod")]
    assert (len(counted), counted[-1]) == (4, 7_500)
    steps = engine.measure(f"{ID}/prod")
    next(steps)
    shutil.rmtree(folder)
    assert list(steps)[-1].file_count < 7_500
