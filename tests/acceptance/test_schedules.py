"""Jobs start when their time has come, and by nobody's hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, until
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance


def test_a_moment_that_is_named_once_comes_once(workspace: Workspace) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    shop = f"""
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.job(trigger=trigger.once("{moment.isoformat()}"))
        def open_the_shop(run_context):
            print("opened by", run_context["trigger"])
    """
    workspace.write(
        {"shop.py": shop, "__deployment__.py": "from shop import open_the_shop\n\n__all__ = ['open_the_shop']\n"}
    )
    workspace.dlthub("deploy")
    run = workspace.await_run("open_the_shop")
    assert run["status"] == "completed"
    assert datetime.fromisoformat(run["created_at"]) >= moment
    assert f"opened by {run['trigger']}" in workspace.text(run["id"])
    workspace.dlthub("deploy")
    assert workspace.jobs()["jobs.shop.open_the_shop"]["next_scheduled_run_at"] is None
    assert len(workspace.runs()) == 1


CLOCK = """
    from dlt.hub import run
    from dlt.hub.run import trigger


    @run.job(trigger=trigger.schedule("* * * * * */3"))
    def tick():
        print("tick")


    @run.job(trigger=trigger.schedule("* * * * * */3"))
    def tock():
        print("tock")
"""


def test_a_schedule_fires_window_after_window_until_its_job_is_archived(
    own_server: Homeport, new_workspace: NewWorkspace
) -> None:
    clock = new_workspace(
        own_server.start(),
        {"clock.py": CLOCK, "__deployment__.py": "from clock import tick, tock\n\n__all__ = ['tick', 'tock']\n"},
    )
    clock.dlthub("deploy")
    until(lambda: len(completed(clock, "tick")) >= 2 and completed(clock, "tock"), what="the clock")
    windows = [(run["interval_start"], run["interval_end"]) for run in completed(clock, "tick")]
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]], "no gap, no overlap"
    assert {run["trigger"] for run in clock.runs()} == {"schedule:* * * * * */3"}

    clock.write({"__deployment__.py": "from clock import tick\n\n__all__ = ['tick']\n"})
    clock.dlthub("deploy")
    ticks, tocks = len(clock.runs("tick")), len(clock.runs("tock"))
    until(lambda: len(clock.runs("tick")) >= ticks + 2, what="two more ticks")
    assert len(clock.runs("tock")) == tocks


def completed(clock: Workspace, name: str) -> list[dict[str, Any]]:
    return [run for run in clock.runs(name) if run["status"] == "completed"]


def test_a_schedule_goes_on_after_a_crash_of_the_server(own_server: Homeport, new_workspace: NewWorkspace) -> None:
    clock = new_workspace(
        own_server.start(),
        {"clock.py": CLOCK, "__deployment__.py": "from clock import tick\n\n__all__ = ['tick']\n"},
    )
    clock.dlthub("deploy")
    until(lambda: completed(clock, "tick"), what="a first tick")
    own_server.kill()
    own_server.start()
    before = len(clock.runs())
    until(lambda: len(completed(clock, "tick")) > before, what="a tick after the crash")
    windows = [(run["interval_start"], run["interval_end"]) for run in completed(clock, "tick")]
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]], "no gap, no overlap"
