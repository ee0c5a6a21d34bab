"""Secrets of a run stand nowhere that somebody could read: not in its log or trace, nor on any disk."""

import base64
import zlib
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import NewWorkspace
from .servers import Homeport, until

pytestmark = pytest.mark.acceptance

SECRETS = """
    [sources.shop]
    token = "tok-of-the-shop-4711"
    account = 987654321098

    [destination.warehouse]
    credentials = "warehouse.duckdb"

    [elsewhere]
    credentials = "postgresql://loader:hunter%40two@db.example:5432/fruit"
    key = '''
    -----BEGIN PRIVATE KEY-----
    MIIEvQIBADANBgkqhkiG9w0BAQEF
    AASCBKcwggSjAgEAAoIBAQC7VJTU
    -----END PRIVATE KEY-----
    '''
"""

JOBS = """
    import base64, json, os, sys, urllib.parse

    import dlt
    from dlt.hub import run


    @run.job
    def tell():
        token = dlt.secrets["sources.shop.token"]
        address = dlt.secrets["elsewhere.credentials"]
        print("token", token)
        print("account", dlt.secrets["sources.shop.account"])
        print("variable", os.environ["OF_A_VARIABLE"], file=sys.stderr)
        print("basic", base64.b64encode(f"user:{token}".encode()).decode())
        print("url", urllib.parse.quote(os.environ["OF_A_VARIABLE"], safe=""))
        print("password", urllib.parse.unquote(urllib.parse.urlsplit(address).password))
        print(dlt.secrets["elsewhere.key"])
        print(json.dumps({"key": dlt.secrets["elsewhere.key"]}))
        print("address", address)
        print("beacon", os.environ["RUNTIME__DLTHUB_DSN"])
        os.write(1, b"in two " + token[:5].encode())
        os.write(1, token[5:].encode() + b" writes\\n")
        print("loader of fruit on db.example at 5432")
        pipeline = dlt.pipeline("shop", destination="duckdb", dataset_name="fruit")

        @dlt.resource
        def broken():
            yield 1
            raise ValueError(f"the shop refused {token}")

        pipeline.run(broken())
"""

VARIABLE = "a variable's s3cret/värde"
HIDDEN = [
    "tok-of-the-shop-4711",
    "987654321098",
    VARIABLE,
    "hunter@two",
    "hunter%40two",
    "MIIEvQIBADANBgkqhkiG9w0BAQEF",
]


def test_no_secret_is_stored(own_server: Homeport, new_workspace: NewWorkspace) -> None:
    shop = new_workspace(
        own_server.start(),
        {"shop.py": dedent(JOBS), "__deployment__.py": "from shop import tell\n\n__all__ = ['tell']\n"},
    )
    with (shop.folder / ".dlt" / "secrets.toml").open("a") as secrets:
        secrets.write(dedent(SECRETS))
    shop.dlthub("deploy")
    shop.dlthub("variable", "set", "OF_A_VARIABLE", "--secret", "--value", VARIABLE, "--workspace")
    run = shop.run("tell")
    assert run["status"] == "failed"
    lines = [line["content"] for line in shop.lines(run["id"])]
    for kind in ("token", "account", "variable", "password", "address", "url"):
        assert f"{kind} ***" in lines
    assert "in two *** writes" in lines
    assert "loader of fruit on db.example at 5432" in lines
    assert "ValueError: the shop refused ***" in "\n".join(lines)
    text = "\n".join([*lines, str(shop.state_of(run["id"])), str(traces_of(shop, run["id"]))])
    assert "the shop refused ***" in str(traces_of(shop, run["id"])), "a trace was reported"
    hidden = [*HIDDEN, *(encoded(secret) for secret in HIDDEN)]
    assert [secret for secret in hidden if secret in text] == []
    logs = own_server.data / "storage" / "workspaces" / shop.id / "logs"
    until(lambda: list(logs.rglob("*.json.z")), what="the log to be stored")
    own_server.stop()
    found = {
        (secret, path.name) for secret in hidden for path in own_server.data.rglob("*") if holds(path, secret)
    }
    assert found == set()


def traces_of(shop: object, run_id: str) -> list[object]:
    token = shop.server.post(f"/workspaces/{shop.id}/-issue-dataplane-token", {})["token"]  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {token}"}
    base = f"/telemetry/v1/workspaces/{shop.id}/pipeline-runs"  # type: ignore[attr-defined]
    http = shop.server.http  # type: ignore[attr-defined]
    runs = http.get(base, params={"job_run_id": run_id}, headers=headers).json()["items"]
    return [http.get(f"{base}/{found['id']}/trace", headers=headers).json() for found in runs]


def encoded(secret: str) -> str:
    """The middle of what base64 makes of it behind `user:`."""
    return base64.b64encode(b"user:" + secret.encode()).decode()[8:-4]


def holds(path: Path, secret: str) -> bool:
    """A file of the installation, as it is or uncompressed; environments and local data are not ours."""
    if not path.is_file() or path.is_symlink() or "environments" in path.parts or "node/workspaces" in str(path):
        return False
    content = path.read_bytes()
    if path.name.endswith(".z"):
        content = unpacked(content)
    return secret.encode() in content


def unpacked(content: bytes) -> bytes:
    """All frames of a stored log."""
    found = b""
    while content:
        frame = zlib.decompressobj()
        found += frame.decompress(content)
        content = frame.unused_data
    return found
