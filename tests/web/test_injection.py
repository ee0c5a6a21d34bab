"""What is sent to us in one place comes out of no other: headers, addresses to go to, our own log."""

import json
import re
import warnings
from urllib.parse import quote

import httpx
import pytest
import structlog

from homeport.contract.people import InviteRequest
from homeport.operations import invitations
from homeport.server import build_app
from homeport.telemetry import log_format

from ..world import World

with warnings.catch_warnings():
    # it wants another package than httpx, which our own command line uses and which does as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ORIGIN = "http://homeport.test"
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/%2f/evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\r\nLocation: https://evil.example",
    "/\r\nSet-Cookie: a=b",
    "/@evil.example",
    ".evil.example",
    "//evil.example\\@homeport.test",
    "http://homeport.test@evil.example/",
    "http://homeport.test.evil.example/",
]


def browser(world: World, **settings: str) -> httpx.Client:
    platform = world.platform_with(**settings) if settings else world.platform
    found: httpx.Client = TestClient(
        build_app(platform, {}),
        base_url=ORIGIN,
        headers={"Origin": ORIGIN},
        raise_server_exceptions=False,
        follow_redirects=False,
    )
    return found


def stays(answer: httpx.Response) -> bool:
    """Whether a browser that follows the answer is still here, and was given nothing that we did not write."""
    to = answer.headers.get("location", "/")
    is_here = re.fullmatch(r"/(?![/\\])[^\\\x00-\x1f]*", to) or to.startswith(f"{ORIGIN}/")
    return bool(is_here) and "a=b" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("address", ELSEWHERE)
def test_nothing_sends_people_elsewhere(world: World, address: str) -> None:
    visitor = browser(world)
    form = {"api_key": world.api_key, "next": address}
    asked = [
        visitor.get("/sign-in", params={"next": address}),
        visitor.get("/sign-in", params={"code": "unknown", "next": address}),
        visitor.post("/sign-in", data=form),
        browser(world).post("/sign-in", params={"next": address}, data=form),
        visitor.get("/", params={"next": address}),
        visitor.post("/sign-out", data={"next": address}),
        visitor.get("/authorize", params={"redirect_uri": address, "state": "s", "code_challenge": "c" * 43}),
    ]
    for answer in asked:
        assert answer.status_code < 500, (answer.request.url, answer.text)
        assert stays(answer), (str(answer.request.url), answer.headers)


@pytest.mark.parametrize(
    "path", ["//evil.example/", "//evil.example/w/x", "/\\evil.example", "/%5cevil.example", "/%2fevil.example/w"]
)
def test_a_swap_code_is_taken_out_of_the_address_and_of_nothing_else(world: World, path: str) -> None:
    for visitor in (browser(world), browser(world)):
        answer = visitor.get(f"{ORIGIN}{path}?swap=unknown")
        assert answer.status_code < 500
        assert stays(answer), answer.headers


def test_a_state_comes_back_as_it_was_sent_and_as_nothing_else(world: World) -> None:
    visitor = browser(world)
    visitor.post("/sign-in", data={"api_key": world.api_key})
    state = 's&code=stolen#x\r\nSet-Cookie: a=b\n é"'
    sent = {"redirect_uri": "http://127.0.0.1:4711/callback", "state": state, "code_challenge": "c" * 43}
    page = visitor.get("/authorize", params=sent)
    assert page.status_code < 500
    for answer in ("yes", "no"):
        back = visitor.post("/authorize", data={**sent, "answer": answer})
        if back.status_code >= 400:
            continue  # refused is as good
        to = httpx.URL(back.headers["location"])
        assert (to.host, to.port, to.path, to.params["state"]) == ("127.0.0.1", 4711, "/callback", state)
        assert to.params.get("code") != "stolen"
        assert "a=b" not in back.headers.get("set-cookie", "")


FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Proto": "javascript",
    "X-Original-URL": "https://evil.example",
    "Forwarded": "host=evil.example;proto=https",
}


@pytest.mark.parametrize("header", sorted(FORGED))
def test_links_name_the_public_address_whatever_a_request_says(world: World, header: str) -> None:
    """Invitations, codes, uploads and public links; without a public address, `Host` says where the asker is."""
    client = browser(world, public_url="https://homeport.example.org")
    headers = {"Authorization": f"Bearer {world.api_key}", header: FORGED[header]}
    ws, org = f"/api/v1/workspaces/{world.workspace.id}", f"/api/v1/organizations/{world.alice.organization_id}"
    answers = [
        client.post(f"{org}/invitations", headers=headers, json={"role": "collaborator"}),
        client.post("/auth/v1/sessions/-issue-device-code", headers=headers),
        client.post(
            "/auth/v1/sessions/-issue-authorization-url",
            headers=headers,
            json={"code_challenge": "c" * 43, "redirect_uri": "http://127.0.0.1:4711/callback", "state": "s"},
        ),
        client.post(f"{ws}/deployments/-issue-upload", headers=headers),
        client.get(ws, headers=headers),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201), answer.text
        assert "evil" not in answer.text + str(answer.headers)
        assert "https://homeport.example.org" in answer.text


@pytest.mark.parametrize(
    "name", ['a"; filename="x.exe', "a\r\nSet-Cookie: a=b", "../../etc/passwd", "é\u202egpj.exe", "%0d%0a"]
)
def test_names_of_people_make_no_headers(world: World, name: str) -> None:
    client = browser(world)
    headers = {"Authorization": f"Bearer {world.api_key}"}
    ws = f"/api/v1/workspaces/{world.workspace.id}"
    client.patch(ws, headers=headers, json={"name": name})
    world.upload("deployments", {"job.py": "print(1)"})
    latest = client.get(f"{ws}/deployments/latest", headers=headers).json()["id"]
    answer = client.get(f"{ws}/deployments/{latest}/-download", headers=headers)
    assert re.fullmatch(r'attachment; filename="[\w.-]+"', answer.headers["content-disposition"], re.ASCII)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    "text",
    [
        "x\x1b[31mred",
        "\x1b]0;title\x07",
        "a\nlogged_in user=eve",
        "a\r\x9b2J",
        "\u202eevil",
        "\u2028x",
        "\x7f\x08",
    ],
)
def test_our_log_holds_no_line_and_no_colour_of_others(
    text: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    try:
        log_format.configure(form)
        structlog.get_logger().info("told", by=text, plain="bob", deep=[text], more={text: text})
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable(), said
    if form == "json":
        assert json.loads(said)["by"] == text


def test_an_invitation_link_is_made_of_what_was_configured(world: World) -> None:
    made = invitations.invite(
        world.platform, world.alice, world.alice.organization_id, InviteRequest(), "https://homeport.example.org"
    )
    assert made.url.startswith("https://homeport.example.org/")
    assert quote(made.url, safe=":/?=&-_") == made.url
