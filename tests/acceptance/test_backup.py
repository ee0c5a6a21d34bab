"""A server that is at work is backed up, and lives on elsewhere: with versions, logs, secrets and local data."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .conftest import NewWorkspace
from .servers import BIN, Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
    import os
    import time

    import dlt
    from dlt.hub import run


    @run.job
    def count_visits():
        pipeline = dlt.pipeline("visits", destination="warehouse", dataset_name="visits")

        @dlt.resource(write_disposition="append")
        def visits(after=dlt.sources.incremental("id", initial_value=0)):
            yield {"id": after.last_value + 1}

        pipeline.run(visits())
        with pipeline.dataset() as dataset:
            print("rows", dataset.sql_client.execute_sql("SELECT count(*) FROM visits")[0][0])
        print("greeting is", len(os.environ["GREETING"]), "long")


    @run.job
    def hold():
        with dlt.dataset("warehouse", "visits").sql_client as client:
            client.execute_sql("CREATE TABLE held AS SELECT 1 AS id")
            while True:
                print("held", flush=True)
                time.sleep(0.05)
"""
NAMES = ["count_visits", "hold"]
FILES = {"shop.py": JOBS, "__deployment__.py": f"from shop import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n"}


@pytest.fixture(params=["sqlite", "postgresql"])
def two_homes(
    request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str], environments: Path
) -> Iterator[tuple[Homeport, Homeport]]:
    """An installation, and an empty place for another."""
    with ExitStack() as closing:
        homes = []
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            home = Homeport(tmp_path / name, environment, environments)
            closing.callback(home.close)
            if request.param == "postgresql":
                postgres = request.getfixturevalue("postgres")
                home.settings["HOMEPORT_DATABASE_URL"] = closing.enter_context(
                    postgres.database(from_template=False)
                )
            homes.append(home)
        homes[1].api_key = homes[0].api_key
        yield homes[0], homes[1]


def said(home: Homeport, environment: dict[str, str], *words: object) -> str:
    """What a command on an installation's machine prints; it must succeed."""
    command = [BIN / "homeport", *map(str, words), "--data-dir", str(home.data)]
    done = subprocess.run(command, env=environment | home.settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(shop: Workspace) -> int:
    run = shop.run("count_visits")
    assert run["status"] == "completed", shop.text(run["id"])
    assert "greeting is 5 long" in shop.text(run["id"])
    return int(shop.text(run["id"]).rpartition("rows ")[2].split()[0])


def test_an_installation_at_work_is_backed_up_and_lives_on_elsewhere(
    two_homes: tuple[Homeport, Homeport], environment: dict[str, str], new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    old, new = two_homes
    shop = new_workspace(old.start(), FILES)
    shop.dlthub("deploy")
    shop.dlthub("variable", "set", "GREETING", "--secret", "--value", "hello", "--workspace")
    assert [rows(shop), rows(shop)] == [1, 2]
    hold = shop.trigger("manual:*hold")
    shop.until_said(hold["id"], "held")

    backup = tmp_path / "backup.tar.gz"
    assert "Not in it: the master key." in said(old, environment, "backup", backup)
    before = {run["id"]: (run["status"], shop.text(run["id"])) for run in shop.runs("count_visits")}
    versions = shop.get("/deployments")["items"], shop.get("/configurations")["items"]
    assert shop.state_of(hold["id"])["status"] == "running", "the backup took nobody's lock"
    old.kill()

    said(new, environment, "restore", backup, "--key", old.data / "keys" / "master.key")
    shop.server = new.start()
    assert (shop.get("/deployments")["items"], shop.get("/configurations")["items"]) == versions
    assert {run["id"]: (run["status"], shop.text(run["id"])) for run in shop.runs("count_visits")} == before
    assert shop.ended(hold["id"])["status"] == "failed"
    assert "lost: it was going on elsewhere" in shop.text(hold["id"])
    assert rows(shop) == 3, "it goes on where the data was"
