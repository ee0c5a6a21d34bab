"""A job with a webhook, its doors, and somebody who signs."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from homeport.contract.webhooks import NewWebhookResponse
from homeport.operations import webhooks
from homeport.server import build_app

from ..builders import definition
from ..identity.conftest import Doors
from ..world import World

BODY = b'{"order": 17}'


class HookDoors(Doors):
    def call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        answer: httpx.Response = self._client.request(method, path, **parts)
        return answer


@dataclass
class Sender:
    """Knows a webhook's secret, and signs with it in every way."""

    doors: HookDoors
    webhook: NewWebhookResponse

    @property
    def path(self) -> str:
        return self.webhook.urls[0].removeprefix("http://homeport.test")

    def seconds(self, late: float = 0) -> int:
        return int(self.doors.world.clock.now().timestamp() - late)

    def mac(self, signed: bytes, key: bytes | None = None) -> bytes:
        return hmac.digest(key or self.webhook.secret.encode(), signed, hashlib.sha256)

    def homeport(self, body: bytes = BODY, late: float = 0) -> dict[str, str]:
        at = self.seconds(late)
        return {"X-Homeport-Signature": f"t={at},v1={self.mac(f'{at}.'.encode() + body).hex()}"}

    def github(self, body: bytes = BODY, delivery: str | None = None) -> dict[str, str]:
        found = {"X-Hub-Signature-256": f"sha256={self.mac(body).hex()}"}
        return found if delivery is None else found | {"X-GitHub-Delivery": delivery}

    def standard(self, body: bytes = BODY, delivery: str = "msg_1", late: float = 0) -> dict[str, str]:
        at = self.seconds(late)
        key = base64.b64decode(self.webhook.secret.removeprefix("whsec_"))
        signature = base64.b64encode(self.mac(f"{delivery}.{at}.".encode() + body, key)).decode()
        return {
            "webhook-id": delivery,
            "webhook-timestamp": str(at),
            "webhook-signature": f"v1,old v1,{signature}",
        }

    def post(self, headers: dict[str, str], body: bytes = BODY, path: str | None = None) -> httpx.Response:
        return self.doors.call("POST", path or self.path, content=body, headers=headers)


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def doors(world: World) -> HookDoors:
    return HookDoors(build_app(world.platform, {}), world)


def issue(world: World, name: str = "a", replace: bool = False) -> NewWebhookResponse:
    job_id = world.current(name).job.id
    return webhooks.issue_secret(world.platform, world.alice, world.workspace.id, job_id, replace)


@pytest.fixture
def sender(world: World, doors: HookDoors) -> Sender:
    world.deploy(definition("a", "webhook:", execute={"concurrency": None}))
    return Sender(doors, issue(world))
