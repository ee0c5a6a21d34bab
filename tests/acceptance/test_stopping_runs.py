"""A run that is asked to stop stops: by itself, or with force, and nothing of it is left."""

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, is_alive
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
import os
import signal
import subprocess
import sys
import time

from dlt.common.runtime import signals
from dlt.hub import run

QUICK = {"timeout": {"timeout": 600, "grace_period": 1}}
# for those that end when they are told to: never killed, however slow the machine is
PATIENT = {"timeout": {"timeout": 600, "grace_period": 120}}


@run.job(execute=PATIENT)
def listens():
    print("waiting", flush=True)
    signals.sleep(600)


@run.job(execute={**PATIENT, "intercept_signals": False})
def tidies_up():
    def leave(*_):
        print("tidied up", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    print("waiting", flush=True)
    time.sleep(600)


@run.job(execute={**QUICK, "intercept_signals": False})
def ignores():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting", flush=True)
    time.sleep(600)


@run.job(execute=QUICK)
def has_family():
    grandchild = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    leave = "import os, subprocess, sys; os.setsid()"
    subprocess.Popen([sys.executable, "-uc", f"{leave}; print('waiting', subprocess.Popen({grandchild}).pid)"])
    time.sleep(600)


@run.job(execute={"timeout": {"timeout": 2, "grace_period": 1}})
def takes_too_long():
    print("waiting", flush=True)
    time.sleep(600)


@run.job(execute={**QUICK, "concurrency": None})
def many():
    print("waiting", flush=True)
    signals.sleep(600)
"""

NAMES = ["has_family", "ignores", "listens", "many", "takes_too_long", "tidies_up"]


@pytest.fixture(scope="module")
def shop(server: Homeport, new_workspace: NewWorkspace) -> Workspace:
    shop = new_workspace(
        server,
        {"shop.py": JOBS, "__deployment__.py": f"from shop import {', '.join(NAMES)}\n\n__all__ = {NAMES}\n"},
    )
    shop.dlthub("deploy")
    return shop


def begun(shop: Workspace, name: str) -> str:
    """A run that has come to its waiting."""
    run_id = str(shop.trigger(f"manual:*{name}")["id"])
    shop.until_said(run_id, "waiting")
    return run_id


def test_a_run_that_listens_ends_at_once_when_it_is_cancelled(shop: Workspace) -> None:
    run_id = begun(shop, "listens")
    output = shop.dlthub("job", "cancel", "listens")
    assert "jobs.shop.listens" in output
    assert shop.ended(run_id)["status"] == "cancelled"
    assert "killed" not in shop.text(run_id)
    assert "no active run" in shop.dlthub("job", "cancel", "listens")
    assert "already in a terminal state" in shop.refused("job", "runs", "cancel", "listens")


def test_a_run_that_tidies_up_and_leaves_with_success_was_cancelled_all_the_same(shop: Workspace) -> None:
    run_id = begun(shop, "tidies_up")
    shop.dlthub("job", "runs", "cancel", "tidies_up", "1")
    assert shop.ended(run_id)["status"] == "cancelled"
    assert "tidied up" in shop.text(run_id)


def test_a_run_that_does_not_listen_is_killed_after_its_grace(shop: Workspace) -> None:
    run_id = begun(shop, "ignores")
    shop.dlthub("job", "runs", "cancel", run_id)
    assert shop.ended(run_id)["status"] == "cancelled"
    assert "did not end within 1 s of grace and was killed" in shop.text(run_id)


def test_children_and_grandchildren_of_a_cancelled_run_are_gone(shop: Workspace) -> None:
    run_id = begun(shop, "has_family")
    grandchild = int(shop.until_said(run_id, "waiting").split()[1])
    assert is_alive(grandchild)
    shop.dlthub("job", "cancel", "has_family")
    assert shop.ended(run_id)["status"] == "cancelled"
    assert not is_alive(grandchild)


def test_a_run_over_its_time_limit_is_cancelled_and_its_log_says_why(shop: Workspace) -> None:
    ended = shop.call("dlthub", "run", "takes_too_long", "-f")
    assert ended.exit_code == 1
    assert "status: cancelled" in ended.output
    assert "The timeout of 2 s is over" in shop.text(shop.runs("takes_too_long")[-1]["id"])


def test_a_selector_cancels_every_active_run_it_matches(shop: Workspace) -> None:
    runs = [begun(shop, "many"), begun(shop, "many")]
    preview = shop.dlthub("job", "cancel", "manual:*many", "--dry-run")
    assert "jobs.shop.many" in preview
    assert {shop.state_of(run_id)["status"] for run_id in runs} == {"running"}
    shop.dlthub("job", "cancel", "manual:*many")
    assert [shop.ended(run_id)["status"] for run_id in runs] == ["cancelled", "cancelled"]
