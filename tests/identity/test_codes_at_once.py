"""What is good once is good for one of many who bring it at the same moment, on both databases."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from homeport.operations import sign_in
from homeport.store import packages

from ..builders import at_once, package, requirements
from ..databases import on_both
from .conftest import Doors
from .test_logins import ASKED, VERIFIER

MANY = 6

Bring = Callable[[int], int]
"""Brings the code in the place of one of the many; the answer is the status."""


def device_code(doors: Doors) -> Bring:
    started = doors.auth("issue-device-code").json()
    form = {"user_code": started["user_code"], "answer": "yes"}
    assert doors.browser(doors.world.alice).post("/device", data=form).status_code == 200
    return lambda _: doors.auth("redeem-device-code", device_code=started["device_code"]).status_code


def authorization_code(doors: Doors) -> Bring:
    answer = doors.browser(doors.world.alice).post("/authorize", data={**ASKED, "answer": "yes"})
    [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    sent = {"code": code, "code_verifier": VERIFIER}
    return lambda _: doors.auth("redeem-authorization-code", **sent).status_code


def swap_code(doors: Doors) -> Bring:
    login = doors.log_in(doors.world.alice)
    code = doors.auth("issue-swap-code", refresh_token=login.refresh_token).json()["swap_code"]
    return lambda _: _signed_in(doors, "/keys", code)


def sign_in_link(doors: Doors) -> Bring:
    world = doors.world
    with world.database.write() as tx:
        code = sign_in.issue_sign_in_code(tx, world.alice.member_id, world.clock.now())
    return lambda _: _signed_in(doors, "/keys", code)


def _signed_in(doors: Doors, page: str, code: str) -> int:
    """200 where the browser got a session, 401 where it got none."""
    answer = doors.browser().get(page, params={"swap": code})
    assert answer.status_code == 303
    return 200 if "set-cookie" in answer.headers else 401


def invitation(doors: Doors) -> Bring:
    made = doors.post(f"{doors.org}/invitations", doors.world.api_key, json={"role": "collaborator"})
    code = made.json()["url"].partition("code=")[2]

    def accept(number: int) -> int:
        form = {"code": code, "email": f"one-of-many-{number}@homeport", "password": "correct horse battery"}
        status = doors.browser().post("/invitation", data=form).status_code
        return 200 if status == 303 else status

    return accept


def upload_token(doors: Doors) -> Bring:
    issued = doors.post(f"{doors.ws}/deployments/-issue-upload", doors.world.api_key).json()
    content = package({"once.py": "print('once')"})

    def send(_: int) -> int:
        files = {
            "file": ("workspace.tar.gz", content, "application/x-tar"),
            "requirements_file": ("requirements.json", json.dumps(requirements()).encode(), "application/json"),
        }
        return doors.post(urlsplit(issued["upload_url"]).path, issued["upload_token"], files=files).status_code

    return send


@pytest.mark.parametrize(
    "issue", [device_code, authorization_code, swap_code, sign_in_link, invitation, upload_token]
)
@on_both
def test_of_many_who_bring_it_at_once_one_gets_in(doors: Doors, issue: Callable[[Doors], Bring]) -> None:
    bring = issue(doors)
    statuses = sorted(at_once(MANY, bring))
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 400, 401, 403, 404}, statuses
    assert bring(MANY) != 200


def test_an_upload_that_was_made_many_times_is_one_version(doors: Doors) -> None:
    bring = upload_token(doors)
    before = _versions(doors)
    at_once(MANY, bring)
    assert _versions(doors) == before + 1


def _versions(doors: Doors) -> int:
    with doors.world.database.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(packages.table)).scalar_one())
