"""The doors of a world, and people with passwords who log in the way that the command line does."""

import warnings
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from homeport.auth.principals import Principal
from homeport.operations import accounts, sign_in
from homeport.server import build_app
from homeport.web.visiting import COOKIE

from ..world import World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ORIGIN = "http://homeport.test"
AUTH = "/auth/v1/sessions"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Login:
    """What the command line keeps of a login."""

    jwt: str
    refresh_token: str


class Doors:
    """Asks the API with any credential, and the pages as a browser."""

    def __init__(self, app: FastAPI, world: World) -> None:
        self.world = world
        self.app = app
        self.ws = f"/api/v1/workspaces/{world.workspace.id}"
        self.org = f"/api/v1/organizations/{world.alice.organization_id}"
        self._client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)

    def ask(self, method: str, path: str, bearer: str | None = None, **parts: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
        answer: httpx.Response = self._client.request(method, path, headers=headers, **parts)
        return answer

    def get(self, path: str, bearer: str | None = None, **parts: Any) -> httpx.Response:
        return self.ask("GET", path, bearer, **parts)

    def post(self, path: str, bearer: str | None = None, **parts: Any) -> httpx.Response:
        return self.ask("POST", path, bearer, **parts)

    def auth(self, verb: str, **body: Any) -> httpx.Response:
        return self.post(f"{AUTH}/-{verb}", json=body)

    def browser(self, person: Principal | None = None) -> httpx.Client:
        """Somebody's browser, signed in; or nobody's."""
        browser = TestClient(
            self.app,
            base_url=ORIGIN,
            headers={"Origin": ORIGIN},
            raise_server_exceptions=False,
            follow_redirects=False,
        )
        if person is not None:
            session = sign_in.open_session_with_key(self.world.platform, self.world.key_of(person))
            browser.cookies.set(COOKIE, session)
        return browser

    def log_in(self, person: Principal) -> Login:
        """By device code, confirmed by the person."""
        started = self.auth("issue-device-code").json()
        form = {"user_code": started["user_code"], "answer": "yes"}
        assert self.browser(person).post("/device", data=form).status_code == 200
        done = self.auth("redeem-device-code", device_code=started["device_code"])
        assert done.status_code == 200, done.text
        return Login(done.json()["jwt"], done.json()["refresh_token"])


@pytest.fixture
def doors(world: World) -> Doors:
    return Doors(build_app(world.platform, {}), world)


@pytest.fixture
def bob(world: World) -> Principal:
    """A member of Alice's organization, developer in her workspace."""
    return world.invite("bob@homeport", "developer", "member")


@pytest.fixture
def charlie(world: World) -> Principal:
    """A stranger: the owner of another organization."""
    return world.stranger()[0]


@pytest.fixture
def alice_login(doors: Doors) -> Login:
    return doors.log_in(doors.world.alice)


@pytest.fixture
def alice_password(world: World) -> str:
    accounts.set_password(world.platform, world.alice.email, PASSWORD)
    return PASSWORD
