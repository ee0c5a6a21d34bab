"""An app runs from when it answers on its port; one that never does is stopped, and told why."""

import json
import socket
from typing import Any

import pytest

from .conftest import Stage

PORT = """
import json, os, signal, socket, sys, threading, time
entry_point = json.loads(sys.argv[sys.argv.index("--entry-point") + 1])
port = entry_point["run_args"]["port"]
assert str(port) == os.environ["PORT"]

def listen(port, answer=b"HTTP/1.0 200 OK\\r\\n\\r\\n"):
    listening = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listening.accept()
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()
"""


def serve(stage: Stage, script: str, ready_path: str | None = None, start_seconds: float = 20.0) -> Any:
    command = ["job.py", "--entry-point", json.dumps({"module": "job", "run_args": {}})]
    app = {"ready_path": ready_path, "start_seconds": start_seconds}
    return stage.serve(PORT + script, command=command, app=app)


def contents(server: Any) -> str:
    return "\n".join(server.contents())


def test_it_is_started_once_it_answers_and_not_before(stage: Stage) -> None:
    server = serve(
        stage,
        """
print("not yet", flush=True)
while not os.path.exists(os.environ["HOME"] + "/go"):
    time.sleep(0.01)
listen(port)
""",
    )
    process = stage.start(server)
    server.wait(lambda fake: "not yet" in contents(fake))
    assert server.pid is None
    (stage.run_folder / "home" / "go").touch()
    server.wait(lambda fake: fake.pid is not None)
    server.cancel = True
    with server.changed:
        server.changed.notify_all()
    assert process.wait(20) == 0
    assert server.exit["cause"] == "cancelled"


def test_where_there_is_a_place_to_ask_it_must_say_that_it_is_well(stage: Stage) -> None:
    script = 'listen(port, b"HTTP/1.0 503 Not yet\\r\\n\\r\\n")'
    exit = stage.run(serve(stage, script, "/health", 1.0))
    assert exit["cause"] == "not_serving"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("time.sleep(60)", "did not answer on its port"),
        ("listen(0)", "it listens on"),
    ],
    ids=["never", "elsewhere"],
)
def test_an_app_that_does_not_listen_there_is_stopped_with_the_reason(
    stage: Stage, script: str, words: str
) -> None:
    server = serve(stage, script, None, 1.0)
    exit = stage.run(server)
    assert (exit["cause"], server.pid) == ("not_serving", None)
    assert words in exit["detail"]
    assert "PORT" in exit["detail"]
    assert any(words in line[4] for line in server.lines.values())


def test_an_app_that_dies_at_once_never_was_started(stage: Stage) -> None:
    server = serve(stage, "sys.exit('no such table')")
    exit = stage.run(server)
    assert (exit["cause"], exit["exit_code"], server.pid) == ("exited", 1, None)
    assert "no such table" in contents(server)
    assert server.contents("setup")[-1] == "The app ended by itself, with exit code 1."


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "raise NotImplementedError('Job returned an ASGI app (FastAPI). Use …')",
            "start a server in the function",
        ),
        ("print(lambda environ, start_response: [])", "must go on listening on the port"),
    ],
    ids=["an app that dlt knows", "something else"],
)
def test_a_function_that_returns_its_app_is_told_to_serve_it(stage: Stage, script: str, words: str) -> None:
    server = serve(stage, script)
    assert words in stage.run(server)["detail"]
    assert words in server.contents("setup")[-1]


def test_a_port_that_another_process_took_is_not_taken_for_the_app(stage: Stage) -> None:
    """A second process, outside of the run, answers where the app should."""
    server = serve(stage, "print('port', port, flush=True)\ntime.sleep(60)")
    process = stage.start(server)
    server.wait(lambda fake: "port " in contents(fake))
    port = int(next(line for line in server.contents() if line.startswith("port ")).split()[1])
    with socket.create_server(("127.0.0.1", port)):
        assert process.wait(20) == 0  # the kernel accepts what is asked there
    assert "was taken by another process" in server.exit["detail"]
    assert server.pid is None
