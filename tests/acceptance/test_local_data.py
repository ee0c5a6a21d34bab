"""What a run writes into a relative DuckDB file is there for the next one: storage outlives a run."""

import pytest

from .conftest import NewWorkspace
from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
import time
from pathlib import Path

import dlt
from dlt.hub import run


def count(dataset, table):
    with dataset:
        return dataset.sql_client.execute_sql(f"SELECT count(*) FROM {table}")[0][0]


@run.job
def load_named():
    pipeline = dlt.pipeline("named", destination="warehouse", dataset_name="shop")
    pipeline.run([{"id": 1}], table_name="loaves")
    print("rows", count(pipeline.dataset(), "loaves"))


@run.job
def read_named():
    print("rows", count(dlt.dataset("warehouse", "shop"), "loaves"))


@run.job
def load_in_code():
    pipeline = dlt.pipeline("in_code", destination=dlt.destinations.duckdb("cellar.duckdb"), dataset_name="shop")
    pipeline.run([{"id": 1}], table_name="loaves")
    print("rows", count(pipeline.dataset(), "loaves"))


@run.job
def read_in_code():
    print("rows", count(dlt.dataset(dlt.destinations.duckdb("cellar.duckdb"), "shop"), "loaves"))


@run.job
def count_visits():
    pipeline = dlt.pipeline("visits", destination="warehouse", dataset_name="visits")

    @dlt.resource(write_disposition="append")
    def visits(after=dlt.sources.incremental("id", initial_value=0)):
        yield {"id": after.last_value + 1}

    pipeline.run(visits())
    print("rows", count(pipeline.dataset(), "visits"))


@run.job
def hold_named():
    local = Path(dlt.current.run_context().local_dir)
    with dlt.dataset("warehouse", "shop").sql_client as client:
        client.execute_sql("CREATE TABLE IF NOT EXISTS held AS SELECT 1 AS id")
        print("held", flush=True)
        while not (local / "let-go").exists():
            time.sleep(0.05)
    print("rows", count(dlt.dataset("warehouse", "shop"), "loaves"))
"""

NAMES = ["count_visits", "hold_named", "load_in_code", "load_named", "read_in_code", "read_named"]

FILES = {
    "shop.py": JOBS,
    "__deployment__.py": f"from shop import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n",
    ".dlt/staging.config.toml": "greeting = 'hello'\n",
}


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    return shop


def rows(shop: Workspace, name: str, profile: str | None = None) -> int:
    run = shop.run(name, profile=profile)
    text = shop.text(run["id"])
    assert run["status"] == "completed", text
    return int(text.rpartition("rows ")[2].split()[0])


@pytest.mark.parametrize("which", ["named", "in_code"])
def test_a_duckdb_file_outlives_the_run_and_is_read_under_access(shop: Workspace, which: str) -> None:
    assert rows(shop, f"load_{which}") == 1
    assert rows(shop, f"load_{which}") == 2
    assert rows(shop, f"read_{which}", profile="access") == 2


def test_an_incremental_load_goes_on_where_the_last_run_ended(shop: Workspace) -> None:
    assert [rows(shop, "count_visits"), rows(shop, "count_visits")] == [1, 2]


def test_other_profiles_and_other_workspaces_have_files_of_their_own(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    shop, other = new_workspace(server, FILES), new_workspace(server, FILES)
    shop.dlthub("deploy")
    other.dlthub("deploy")
    assert [rows(shop, "load_named"), rows(shop, "load_named")] == [1, 2]
    assert rows(shop, "load_named", profile="staging") == 1
    assert rows(other, "load_named") == 1


def test_two_runs_at_one_file_at_once_one_fails_with_a_reason_and_nothing_is_lost(
    server: Homeport, new_workspace: NewWorkspace
) -> None:
    shop = new_workspace(server, FILES)
    shop.dlthub("deploy")
    assert rows(shop, "load_named") == 1
    holder = shop.trigger("manual:*hold_named")
    shop.until_said(holder["id"], "held")
    second = shop.run("load_named")
    assert second["status"] == "failed"
    assert "Could not set lock on file" in shop.text(second["id"])
    [local] = server.data.glob(f"node/workspaces/{shop.id}/prod")
    (local / "let-go").touch()
    assert shop.ended(holder["id"])["status"] == "completed", shop.text(holder["id"])
    assert rows(shop, "load_named") == 2
