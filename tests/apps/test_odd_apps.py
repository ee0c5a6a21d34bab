"""Apps that misbehave, and requests that do: a clear page or error, and nothing leaks."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from starlette.types import Receive, Scope, Send

from homeport.operations import app_visits, change_jobs, change_workspaces
from homeport.operations.app_visits import Visitor

from ..builders import interactive, until
from ..world import World
from .conftest import Stage, listening, near_and_far
from .test_letting_in import go
from .test_passing_through import ECHO


@contextmanager
def raw_app(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A program that answers every connection as it likes; its port."""
    sock = listening()

    def accept() -> None:
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                answer(connection)
            except OSError:
                pass

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(sock.getsockname()[1])
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def ask(stage: Stage, text: str) -> bytes:
    """The whole answer to bytes as they are."""
    with socket.create_connection(("127.0.0.1", stage.port), 20) as sock:
        sock.sendall(text.encode("latin-1"))
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer


ODD: dict[str, bytes] = {
    "5 MB of headers": b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 5_000_000 + b"\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
}


@near_and_far
@pytest.mark.parametrize("said", ODD.values(), ids=list(ODD))
def test_an_answer_that_is_none_becomes_a_502(stage: Stage, said: bytes) -> None:
    host = stage.deploy()
    with raw_app(lambda connection: connection.sendall(said)) as port:
        stage.tunnel(stage.world.claim(stage.start("notebook")), port)
        answer = stage.program(host).get("/")
        assert answer.status_code == 502
        assert len(answer.content) < 1000
        page = stage.program(host).get("/", headers={"Accept": "text/html"})
        assert "does not answer" in page.text


@near_and_far
def test_a_broken_off_answer_is_not_taken_for_the_whole(stage: Stage) -> None:
    host = stage.deploy()
    with raw_app(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")) as port:
        stage.tunnel(stage.world.claim(stage.start("notebook")), port)
        heard = b""
        with stage.ask(host) as sock:
            try:
                while piece := sock.recv(65536):
                    heard += piece
            except ConnectionResetError:
                pass
    assert b"0\r\n\r\n" not in heard


@near_and_far
def test_a_port_where_nobody_listens_any_more_is_a_502(stage: Stage) -> None:
    host = stage.deploy()
    gone = listening()
    port = int(gone.getsockname()[1])
    gone.close()
    stage.tunnel(stage.world.claim(stage.start("notebook")), port)
    assert stage.program(host).get("/").status_code == 502


@near_and_far
def test_an_answer_that_never_ends_ends_with_its_visitor(stage: Stage) -> None:
    ended = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def leaves() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        leaving = asyncio.create_task(leaves())
        while not leaving.done():
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await asyncio.sleep(0.001)
        ended.set()

    host = stage.deploy()
    stage.serve(app)
    with stage.program(host).stream("GET", "/") as answer:
        assert next(answer.iter_bytes())
    assert ended.wait(20)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: {host}\r\nHost: localhost\r\n\r\n", b"400"),
        (
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
        ("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        ("GET / HTTP/1.1\r\nHost: {host}\r\nX-Homeport-User : root\r\n\r\n", b"400"),
        ("GET /\x01 HTTP/1.1\r\nHost: {host}\r\n\r\n", b"400"),
        ("CONNECT localhost:22 HTTP/1.1\r\nHost: {host}\r\n\r\n", b"405"),
        ("GET http://127.0.0.1:22/ HTTP/1.1\r\nHost: {host}\r\n\r\n", b"405"),
        ("GET / HTTP/1.1\r\nHost: {host}\r\nX: " + "x" * 200_000 + "\r\n\r\n", b"4"),
    ],
    ids=["two hosts", "two lengths", "two numbers", "a blank", "control", "connect", "absolute", "long"],
)
def test_smuggled_requests_are_refused_and_end_the_connection(stage: Stage, request_: str, status: bytes) -> None:
    host = stage.deploy()
    stage.serve(ECHO)
    answer = ask(stage, request_.replace("{host}", host))
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:300]
    assert answer.count(b"HTTP/1.1") == 1


def test_paths_stay_what_they_are(stage: Stage) -> None:
    host = stage.deploy()
    stage.serve(ECHO)
    key = stage.world.key_of(stage.world.alice)
    for path in ("/../../etc/passwd", "/..%2f..%2f", "//elsewhere", "/%2e%2e/-homeport/enter"):
        said = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        assert f'"path":"{path}"'.encode() in ask(stage, said).replace(b'": "', b'":"')


def test_a_redirect_of_an_app_is_passed_on_and_not_followed(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"location", b"http://169.254.169.254/latest/meta-data/")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    host = stage.deploy()
    stage.serve(app)
    answer = stage.program(host).get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/latest/meta-data/")


def test_an_apps_links_are_for_its_own_runner_only(stage: Stage) -> None:
    stage.deploy()
    stage.serve(ECHO)
    attempt = stage.world.attempt(stage.world.runs_of("notebook")[-1]).id
    for bearer in ("guessed", stage.world.key_of(stage.world.alice)):
        answer = ask(
            stage,
            f"GET /runner/v1/attempts/{attempt}/tunnel HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            f"Upgrade: homeport-tunnel\r\nAuthorization: Bearer {bearer}\r\n\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 401")


# life


def test_a_visit_wakes_an_app_and_a_forgotten_tab_does_not(stage: Stage) -> None:
    host = stage.deploy()
    program = stage.program(host)
    for mode in ("cors", "websocket", "no-cors"):
        assert program.get("/", headers={"Sec-Fetch-Mode": mode}).status_code == 503
    assert stage.world.runs_of("notebook") == []
    page = program.get("/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    assert page.status_code == 503
    assert "Starting notebook" in page.text
    assert 'http-equiv="refresh"' in page.text
    [run] = stage.world.runs_of("notebook")
    assert program.get("/", headers={"Accept": "text/html"}).status_code == 503  # and again, of the same run
    runner = stage.world.claim(run)
    runner.say(0, "reading the warehouse")
    assert "reading the warehouse" in program.get("/", headers={"Accept": "text/html"}).text
    assert len(stage.world.runs_of("notebook")) == 1


def test_a_program_waits_until_the_app_answers(stage: Stage) -> None:
    host = stage.deploy()
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(stage.program(host).get("/").status_code))
    thread.start()
    until(lambda: stage.world.runs_of("notebook"))
    stage.serve(ECHO)
    thread.join(20)
    assert answers == [200]


def test_a_crash_shows_the_end_of_the_log_and_starts_again_by_hand_only(stage: Stage) -> None:
    host = stage.deploy()
    runner = stage.world.claim(stage.world.start("notebook"))
    runner.say(0, "no such table: <script>purchases</script>")
    assert runner.exit(1, lines=1).status == "failed"
    program = stage.program(host)
    page = program.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 502
    assert "no such table: &lt;script&gt;" in page.text
    assert program.get("/").status_code == 503
    assert len(stage.world.runs_of("notebook")) == 1
    again = program.post("/-homeport/start", headers={"Origin": f"http://{host}"})
    assert again.status_code == 303
    assert len(stage.world.runs_of("notebook")) == 2


def test_who_waits_for_an_app_does_not_start_it_again_when_it_fails(stage: Stage) -> None:
    """However its end falls between two looks at it."""
    stage.deploy()
    member = Visitor("member", starts=True)
    app_visits.wake(stage.world.platform, "notebook", member)
    [run] = stage.world.runs_of("notebook")
    stage.world.claim(run).exit(1)
    app_visits.wake(stage.world.platform, "notebook", member)
    assert stage.world.runs_of("notebook")[1:] == []
    stage.world.upload("deployments", {"job.py": "print('better')"})
    app_visits.wake(stage.world.platform, "notebook", member)
    assert len(stage.world.runs_of("notebook")) == 2


def test_an_app_that_could_not_be_built_says_what_was_wrong_and_where_to_read_on(stage: Stage) -> None:
    host = stage.deploy()
    runner = stage.world.claim(stage.world.start("notebook"))
    runner.say(0, "no such package: pandsa")
    run = runner.exit(
        None, "setup_failed", lines=1, detail="the environment cannot be built: no such package: pandsa"
    )
    page = read_page(stage, host)
    assert "It could not be started: the environment cannot be built: no such package: pandsa." in page
    assert "Deploy a corrected version, or start it again as it is." in page
    assert f'href="{stage.url}/w/{run.workspace_id}/runs/{run.id}"' in page


def test_an_app_that_lacks_something_to_start_with_says_what(stage: Stage) -> None:
    stage.world.upload("configurations", {"reporting.config.toml": ""})
    host = stage.deploy(require={"profile": "reporting"})
    stage.world.upload("configurations", {"config.toml": ""})
    page = read_page(stage, host)
    assert "The app cannot be started" in page
    assert "no configuration for the profile &#39;reporting&#39;" in page
    assert "dlthub workspace configuration sync" in page


def test_what_was_archived_says_so_to_everybody_alike(stage: Stage) -> None:
    host = stage.deploy()
    mistyped = read_page(stage, host.replace("notebook", "notebok"))
    world = stage.world
    change_workspaces.archive(world.platform, world.alice, world.workspace.id, world.platform.url)
    assert read_page(stage, host) == mistyped
    assert "its job or workspace was archived" in mistyped


def test_an_app_that_ends_well_has_failed_all_the_same(stage: Stage) -> None:
    stage.deploy()
    runner = stage.serve(ECHO)
    assert runner.exit(0).status == "failed"


def test_newer_code_takes_over_at_the_next_visit(stage: Stage) -> None:
    host = stage.deploy()
    runner = stage.serve(ECHO)
    program = stage.program(host)
    assert program.get("/").status_code == 200
    stage.world.upload("deployments", {"job.py": "print('newer')"})
    until(lambda: program.get("/", headers={"Accept": "text/html"}).status_code == 503)
    assert runner.is_to_cancel()
    assert runner.exit(0, "cancelled").status == "cancelled"
    program.get("/", headers={"Accept": "text/html"})
    assert len(stage.world.runs_of("notebook")) == 2


def test_who_waits_for_a_place_reads_why(stage: Stage) -> None:
    world = stage.world
    world.restart_services(max_apps=1)
    world.deploy(interactive("other"), interactive("notebook"))
    world.running("other")
    host = f"notebook.localhost:{stage.port}"
    guest = stage.browser()
    link = str(change_jobs.publish(world.platform, world.alice, world.workspace.id, _id(world)).public_url)
    for read in (lambda: read_page(stage, host), lambda: go(guest, link).text):
        assert "Starting notebook" in read()
        world.submit()
    assert "a place for apps (HOMEPORT_MAX_APPS is 1): all are in use, so stop one" in read_page(stage, host)
    assert "It waits for room on its machine" in go(guest, link).text


def read_page(stage: Stage, host: str) -> str:
    return stage.program(host).get("/", headers={"Accept": "text/html"}).text


def _id(world: World) -> UUID:
    return world.current("notebook").job.id


def test_a_program_that_waited_long_enough_is_told(world: World) -> None:
    stage = Stage(world, app_start_seconds=0.2)
    try:
        answer = stage.program(stage.deploy()).get("/")
    finally:
        stage.close()
    assert (answer.status_code, "has not started within 0.2 s" in answer.text) == (503, True)
