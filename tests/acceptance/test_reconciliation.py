"""What a deploy makes of the jobs that are there, as `dlthub deploy` prints it and as it stays."""

import re
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

BAKE = """
    @run.job
    def bake():
        print("baked")


"""
SELL = """
    @run.job(trigger=trigger.schedule("0 3 1 1 *"))
    def sell():
        print("sold")


"""
IMPORTS = """
    from dlt.hub import run
    from dlt.hub.run import trigger


"""


def shop_with(*jobs: str, names: tuple[str, ...] = ("bake", "sell")) -> dict[str, str]:
    return {
        "shop.py": "".join(map(dedent, (IMPORTS, *jobs))),
        "__deployment__.py": f"from shop import {', '.join(names)}\n\n__all__ = {list(names)}\n",
    }


def outcomes(output: str) -> str:
    """The line that sums a deploy up."""
    return next(line for line in output.splitlines() if line.endswith("archived"))


def test_jobs_are_added_then_unchanged_then_updated(workspace: Workspace) -> None:
    workspace.write(shop_with(BAKE, SELL))
    first = workspace.dlthub("deploy")
    assert outcomes(first) == "3 added, 0 updated, 0 archived"  # the dashboard is dlt's own
    assert "+ bake" in first
    assert "+ sell (trigger: schedule:0 3 1 1 *)" in first
    second = workspace.dlthub("deploy")
    assert outcomes(second) == "0 added, 0 updated, 0 archived"
    assert "Unchanged jobs:" in second
    workspace.write(shop_with(BAKE, SELL.replace("0 3 1 1 *", "0 4 1 1 *")))
    third = workspace.dlthub("deploy")
    assert outcomes(third) == "0 added, 1 updated, 0 archived"
    jobs = workspace.jobs()
    assert (jobs["jobs.shop.bake"]["version"], jobs["jobs.shop.sell"]["version"]) == (1, 2)
    assert jobs["jobs.shop.sell"]["next_scheduled_run_at"].startswith(until_new_year(jobs, "04:00:00"))


def until_new_year(jobs: dict[str, dict[str, str]], time: str) -> str:
    year = int(jobs["jobs.shop.sell"]["updated_at"][:4]) + 1
    return f"{year}-01-01T{time}"


def test_a_changed_body_is_a_new_version_of_the_code_and_not_of_the_job(workspace: Workspace) -> None:
    workspace.write(shop_with(BAKE, SELL))
    workspace.dlthub("deploy")
    workspace.write(shop_with(BAKE.replace("baked", "burnt"), SELL))
    assert outcomes(workspace.dlthub("deploy")) == "0 added, 0 updated, 0 archived"
    assert workspace.jobs()["jobs.shop.bake"]["version"] == 1
    assert [item["version"] for item in workspace.get("/deployments")["items"]] == [2, 1]
    assert [item["version"] for item in workspace.get("/configurations")["items"]] == [1]
    assert "burnt" in workspace.text(workspace.run("bake")["id"])


def test_a_changed_secret_is_a_new_version_of_the_configuration_alone(workspace: Workspace) -> None:
    workspace.write({**shop_with(BAKE, SELL), ".dlt/prod.secrets.toml": "password = 'one'\n"})
    workspace.dlthub("deploy")
    workspace.write({".dlt/prod.secrets.toml": "password = 'two'\n"})
    assert outcomes(workspace.dlthub("deploy")) == "0 added, 0 updated, 0 archived"
    assert [item["version"] for item in workspace.get("/deployments")["items"]] == [1]
    assert [item["version"] for item in workspace.get("/configurations")["items"]] == [2, 1]


def test_a_job_that_is_taken_out_is_archived_with_its_history_and_comes_back_with_it(workspace: Workspace) -> None:
    workspace.write(shop_with(BAKE, SELL))
    workspace.dlthub("deploy")
    assert workspace.run("sell")["status"] == "completed"

    workspace.write(shop_with(BAKE, names=("bake",)))
    output = workspace.dlthub("deploy")
    assert outcomes(output) == "0 added, 0 updated, 1 archived"
    assert "sell" in output
    assert workspace.jobs()["jobs.shop.sell"].get("next_scheduled_run_at") is None, "it no longer fires"
    assert "shop.sell" not in workspace.dlthub("job", "list")
    assert "shop.sell" in workspace.dlthub("job", "list", "--archived")
    assert "No jobs matched" in workspace.dlthub("job", "trigger", "schedule:*")
    assert "No jobs matched" in workspace.dlthub("job", "trigger", "sell")
    assert len(workspace.runs("sell")) == 1
    assert "sold" in workspace.dlthub("job", "logs", "jobs.shop.sell", "1")

    workspace.write(shop_with(BAKE, SELL))
    assert outcomes(workspace.dlthub("deploy")) == "0 added, 1 updated, 0 archived"
    assert workspace.jobs()["jobs.shop.sell"]["next_scheduled_run_at"]
    assert workspace.run("sell")["number"] == 2
    assert [run["number"] for run in workspace.runs("sell")] == [1, 2]


def test_an_archived_job_is_not_started_by_the_end_of_another(workspace: Workspace) -> None:
    follow = """
        @run.job(trigger=bake.success)
        def sell():
            print("sold")
    """
    workspace.write(shop_with(BAKE, follow))
    workspace.dlthub("deploy")
    workspace.write(shop_with(BAKE, names=("bake",)))
    workspace.dlthub("deploy")
    assert workspace.run("bake")["status"] == "completed"
    # follow-ups start in the transaction that ends a run: there is nothing to wait for
    assert workspace.runs("sell") == []


def test_a_file_that_is_run_archives_nothing_and_no_deploy_archives_it(workspace: Workspace) -> None:
    workspace.write(
        {**shop_with(BAKE, SELL), "weigh.py": "if __name__ == '__main__':\n    print('weighs nothing')\n"}
    )
    workspace.dlthub("deploy")
    workspace.dlthub("run", "weigh.py")
    everything = {"jobs.shop.bake", "jobs.shop.sell", "jobs.workspace.dashboard", "jobs.weigh"}
    assert workspace.live_jobs() == everything
    assert outcomes(workspace.dlthub("deploy")) == "0 added, 0 updated, 0 archived"
    assert workspace.live_jobs() == everything
    assert workspace.ended(workspace.runs("weigh")[0]["id"])["status"] == "completed"


RAISES = {"__deployment__.py": "raise RuntimeError('the oven exploded')\n"}
UNKNOWN_IMPORT = {"__deployment__.py": "import no_such_module\n\n__all__ = ['no_such_module']\n"}
BAD_CRON = shop_with(BAKE, SELL.replace("0 3 1 1 *", "61 3 1 1 *"))
IMPOSSIBLE_CRON = shop_with(BAKE, SELL.replace("0 3 1 1 *", "0 0 30 2 *"))
UNKNOWN_UPSTREAM = shop_with(BAKE, SELL.replace('trigger.schedule("0 3 1 1 *")', '"job.success:jobs.shop.nobody"'))
CYCLE = shop_with(
    BAKE.replace("run.job", 'run.job(trigger="job.success:jobs.shop.sell")'),
    SELL.replace('trigger.schedule("0 3 1 1 *")', '"job.success:jobs.shop.bake"'),
)
DUPLICATE = shop_with(BAKE, SELL.replace("run.job(", 'run.job(name="bake", '))
UNKNOWN_PROFILE = shop_with(BAKE, SELL.replace("run.job(", 'run.job(require={"profile": "holiday"}, '))
UNKNOWN_GROUP = shop_with(BAKE, SELL.replace("run.job(", 'run.job(require={"dependency_groups": ["yeast"]}, '))


@pytest.mark.parametrize(
    ("files", "named"),
    [
        pytest.param(RAISES, "the oven exploded", id="deployment raises"),
        pytest.param(UNKNOWN_IMPORT, "no_such_module", id="import fails"),
        pytest.param(BAD_CRON, "61 3 1 1 *", id="bad cron"),
        pytest.param(IMPOSSIBLE_CRON, "0 0 30 2 *", id="cron that never comes"),
        pytest.param(UNKNOWN_UPSTREAM, "jobs.shop.nobody", id="unknown upstream"),
        pytest.param(CYCLE, "jobs.shop.bake", id="cycle"),
        pytest.param(DUPLICATE, "jobs.shop.bake", id="duplicate"),
        pytest.param(UNKNOWN_PROFILE, "holiday", id="unknown profile"),
        pytest.param(UNKNOWN_GROUP, "yeast", id="unknown group"),
    ],
)
def test_a_deploy_that_cannot_be_names_the_fault_and_changes_no_job(
    broken: Workspace, files: dict[str, str], named: str
) -> None:
    before = broken.jobs()
    broken.write({**shop_with(BAKE, SELL), **files})
    ended = broken.call("dlthub", "deploy")
    assert ended.exit_code != 0, ended.output
    assert named in re.sub(r"\s+", " ", ended.output), ended.output
    assert broken.jobs() == before


@pytest.fixture(scope="module")
def broken(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    """A workspace with good jobs, before somebody breaks it."""
    shop = new_workspace(server, shop_with(BAKE, SELL))
    shop.dlthub("deploy")
    until(lambda: len(shop.jobs()) == 3)
    return shop
