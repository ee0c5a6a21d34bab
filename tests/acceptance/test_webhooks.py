"""A signed call from outside starts a job, whose run reads what was sent; and a deploy starts one by itself."""

import hashlib
import hmac
import json
import re
import time

import httpx
import pytest

from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

SHOP = """
    import json
    import os
    from pathlib import Path

    from dlt.hub import run
    from dlt.hub.run import trigger


    @run.job(trigger=trigger.webhook("orders"))
    def take_order(run_context):
        headers = json.loads(os.environ["HOMEPORT_WEBHOOK_HEADERS"])
        body = Path(os.environ["HOMEPORT_WEBHOOK_BODY_PATH"]).read_text()
        print("called by", run_context["trigger"], "with", headers["content-type"], body)


    @run.job(trigger=trigger.deployment())
    def set_up_shop(run_context):
        print("set up by", run_context["trigger"])


    @run.job(trigger=set_up_shop.completed)
    def open_shop():
        print("open")
"""
DEPLOYMENT = """
    from shop import open_shop, set_up_shop, take_order

    __all__ = ["open_shop", "set_up_shop", "take_order"]
"""


def post(url: str, secret: str, body: bytes, **headers: str) -> httpx.Response:
    at = int(time.time())
    signature = hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()
    signed = {"X-Homeport-Signature": f"t={at},v1={signature}", "Content-Type": "application/json", **headers}
    return httpx.post(url, content=body, headers=signed, timeout=30)


def webhook(workspace: Workspace, *options: str) -> str:
    ended = workspace.call("homeport", "webhook", "take_order", *options)
    assert ended.exit_code == 0, ended.output
    return ended.output


def test_a_signed_call_starts_a_job_that_reads_what_was_sent(workspace: Workspace) -> None:
    workspace.write({"shop.py": SHOP, "__deployment__.py": DEPLOYMENT})
    workspace.dlthub("deploy")
    told = webhook(workspace)
    [url] = re.findall(r"http\S+", told)
    [secret] = re.findall(r"whsec_\S+", told)
    assert url.endswith("/orders")
    assert "whsec_" not in webhook(workspace)

    body = json.dumps({"fruit": "banana", "kilos": 3}).encode()
    answer = post(url, secret, body, **{"Idempotency-Key": "17"})
    assert answer.status_code == 201, answer.text
    run = workspace.ended(answer.json()["job_run_id"])
    assert (run["status"], run["trigger"]) == ("completed", "webhook:orders")
    assert f"called by webhook:orders with application/json {body.decode()}" in workspace.text(run["id"])

    again = post(url, secret, body, **{"Idempotency-Key": "17"})
    assert (again.status_code, again.json()["job_run_id"]) == (200, run["id"])
    assert post(url, "whsec_wrong", body).status_code == 401
    [renewed] = re.findall(r"whsec_\S+", webhook(workspace, "--rotate"))
    assert post(url, secret, body).status_code == 401
    assert post(url, renewed, b"{}").status_code == 201
    assert len(workspace.runs("take_order")) == 2


def test_running_a_script_starts_its_job_once_although_it_wants_to_start_when_deployed(
    workspace: Workspace,
) -> None:
    script = """
        from dlt.hub import run
        from dlt.hub.run import trigger


        @run.job(trigger=trigger.deployment(), execute={"concurrency": None})
        def set_up():
            print("set up")
    """
    workspace.write({"script.py": script})
    workspace.dlthub("run", "script.py", "-f")
    [run] = workspace.runs()
    assert workspace.ended(run["id"])["status"] == "completed"


def test_a_deploy_starts_what_it_has_changed(workspace: Workspace) -> None:
    workspace.write({"shop.py": SHOP, "__deployment__.py": DEPLOYMENT})
    workspace.dlthub("deploy", "--dry-run")
    assert workspace.runs() == []
    workspace.dlthub("deploy")
    run = workspace.await_run("set_up_shop")
    assert (run["status"], run["trigger"]) == ("completed", "deployment:")
    assert workspace.await_run("open_shop")["status"] == "completed"
    workspace.dlthub("deploy")
    assert len(workspace.runs("set_up_shop")) == 1
    workspace.write({"prices.py": "BANANA = 2\n"})
    workspace.dlthub("deploy")
    assert workspace.await_run("set_up_shop", 2)["status"] == "completed"
    assert "set_up_shop" in workspace.dlthub("job", "runs", "list")
