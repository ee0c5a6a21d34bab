"""What goes through to an app and back, and what does not."""

import json
import socket
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..world import World
from .conftest import Stage, near_and_far
from .test_letting_in import go


async def echo(request: Request) -> Response:
    """What the app was sent."""
    body = await request.body()
    seen = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.url.query,
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in request.headers.raw],
        "body": body.decode("latin-1"),
    }
    return JSONResponse(seen, headers=dict(request.query_params))


ECHO = Starlette(
    routes=[Route("/{rest:path}", echo, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])]
)


@pytest.fixture
def host(stage: Stage) -> str:
    host = stage.deploy()
    stage.serve(ECHO)
    return host


def headers_seen(answer: Any) -> dict[str, str]:
    return dict(answer.json()["headers"])


@near_and_far
def test_a_request_reaches_the_app_as_it_was_sent(stage: Stage, host: str) -> None:
    program = stage.program(host)
    answer = program.post("/a%2Fb/../c?x=1&x=%C3%A4", content=b"body", headers={"X-Own": "mine"})
    seen = answer.json()
    assert (seen["method"], seen["body"]) == ("POST", "body")
    assert seen["query"] == "x=1&x=%C3%A4"
    assert headers_seen(answer)["x-own"] == "mine"
    assert headers_seen(answer)["host"] == host
    for _ in range(20):  # the same connections again and again
        assert program.get("/").status_code == 200


def test_the_app_is_told_who_it_is_and_nobody_else_can_say_so(stage: Stage, host: str) -> None:
    forged = {
        "X-Homeport-User": "root@example.org",
        "X_Homeport_User": "root@example.org",
        "X-Forwarded-Host": "elsewhere",
        "Forwarded": "for=1.2.3.4",
        "Connection": "x-homeport-user, keep-alive",
        "X-Homeport-Role": "owner",
    }
    bob = stage.world.invite("bob@here", "viewer")
    seen = headers_seen(stage.program(host, bob).get("/", headers=forged))
    assert seen["x-homeport-user"] == "bob@here"
    assert seen["x-homeport-role"] == "viewer"
    assert seen["x-forwarded-host"] == host
    assert "root@example.org" not in json.dumps(seen)
    assert "forwarded" not in seen


def test_the_app_sees_none_of_our_credentials(stage: Stage, host: str) -> None:
    browser = stage.browser(stage.world.alice)
    answer = go(browser, f"http://{host}/")
    assert answer.status_code == 200, answer.text
    seen = json.dumps(answer.json())
    assert "homeport_" not in seen.replace("x-homeport-", "")
    key = stage.program(host)
    assert "dlt_u_" not in key.get("/").text
    assert "dlt_u_" not in key.get("/", headers={"Cookie": "homeport_session=x; a=b"}).text
    assert headers_seen(key.get("/", headers={"Cookie": "homeport_session=x; a=b"}))["cookie"] == "a=b"


def test_cookies_of_an_app_stay_with_it(stage: Stage) -> None:
    async def app(request: Request) -> Response:
        answer = Response("hello")
        answer.headers.append("Set-Cookie", "own=1; Domain=localhost; Path=/; HttpOnly")
        answer.headers.append("Set-Cookie", "homeport_session=stolen; Path=/")
        answer.headers.append("Set-Cookie", "homeport_app=stolen; Path=/")
        return answer

    host = stage.deploy()
    stage.serve(Starlette(routes=[Route("/", app)]))
    cookies = stage.program(host).get("/").headers.get_list("set-cookie")
    assert cookies == ["own=1; Path=/; HttpOnly"]


@near_and_far
def test_answers_stream_and_so_do_uploads(stage: Stage) -> None:
    """Neither side is held back until the other one has finished."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            if message.get("body"):
                said = b"got %d\n" % len(message["body"])
                await send({"type": "http.response.body", "body": said, "more_body": True})
        await send({"type": "http.response.body", "body": b"end\n"})

    host = stage.deploy()
    stage.serve(app)
    key = stage.world.key_of(stage.world.alice)
    with socket.create_connection(("127.0.0.1", stage.port), 20) as sock, sock.makefile("rb") as answer:
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: 8\r\n\r\n"
        sock.sendall(head.encode() + b"one")
        assert b"200" in answer.readline()
        heard = b""
        while b"got 3" not in heard:  # and nothing more of the request was sent yet
            heard += answer.readline()
        sock.sendall(b"three")
        while b"end" not in heard:
            heard += answer.readline()
    assert b"got 5" in heard
    assert b"text/event-stream" in heard


def test_an_unknown_name_says_so_and_leaks_nothing(stage: Stage, host: str) -> None:
    for name in ("nobody", "a.b", "-", "localhost"):
        answer = stage.client(f"{name}.localhost:{stage.port}").get("/", headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert "no app at this address" in answer.text


def test_the_pages_stay_where_they_were(stage: Stage, host: str, world: World) -> None:
    answer = stage.client(f"localhost:{stage.port}").get("/healthz")
    assert answer.status_code == 200
    assert stage.client(f"127.0.0.1:{stage.port}").get("/sign-in").status_code == 200
