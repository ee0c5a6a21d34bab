"""A run from claim to exit report: its output, its exit status, its surroundings."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from homeport_runner import boot

from .conftest import PYTHON_VERSION, Stage, make_package
from .fake_server import SESSION, TICKET


def test_lines_arrive_in_order_with_stderr_apart(stage: Stage) -> None:
    server = stage.serve("import sys\nfor n in range(5):\n print(n)\nprint('oh', file=sys.stderr)")
    exit = stage.run(server)
    assert exit.pop("usage")["cpu_seconds"] > 0
    assert exit == {"cause": "exited", "exit_code": 0, "detail": None, "lines": len(server.lines)}
    assert server.contents(io_stream="stdout") == ["0", "1", "2", "3", "4"]
    assert server.contents(io_stream="stderr") == ["oh"]


def test_a_line_says_when_and_whence(stage: Stage) -> None:
    server = stage.serve("print('x')", environment={"notes": ["a note"]})
    stage.run(server)
    at, io_stream, source, stage_, _ = server.lines[max(server.lines)]
    assert (io_stream, source, stage_) == ("stdout", "user", "run")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()) < 60
    assert server.lines[0][1:] == ("other", "setup", "build", "a note")


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("raise SystemExit(42)", 42), ("import os; os.kill(os.getpid(), 9)", -9), ("import os; os.abort()", -6)],
)
def test_the_exit_status_arrives(stage: Stage, script: str, exit_code: int) -> None:
    exit = stage.run(stage.serve(script))
    assert (exit["cause"], exit["exit_code"]) == ("exited", exit_code)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "the process was ended by signal 11 (SIGSEGV)"),
        ("raise SystemExit(42)", "the process ended with exit code 42"),
        ("raise OSError('IO Error: Could not set lock on file')", "a DuckDB file was in use"),
        ("import fastmcp.client", "there is no module 'fastmcp' in its environment: add its package"),
    ],
)
def test_an_end_that_does_not_explain_itself_is_explained(stage: Stage, script: str, words: str) -> None:
    server = stage.serve(script)
    assert stage.run(server)["detail"].startswith(words)
    assert server.contents("setup")[-1].lower().startswith(words.lower())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("pass", None),
        ("raise SystemExit(1)", None),
        ("raise ValueError('oh')", "ValueError: oh"),
        ("import sys; print('warned', file=sys.stderr); raise MemoryError", "MemoryError"),
        ("import json; json.loads('{')", "JSONDecodeError: Expecting property name"),
        ("try: 1 / 0\nexcept Exception as e: raise OSError('one\\ntwo') from e", "OSError: one two"),
        ("raise RuntimeError('in step:\\n\\n<class \\'a.b.Odd\\'>\\nno')", "RuntimeError: in step: Odd: no"),
        ("raise ValueError('x' * 100_000)", "ValueError: xxx"),
    ],
)
def test_an_end_that_explains_itself_is_reported_in_its_own_words(
    stage: Stage, script: str, words: str | None
) -> None:
    server = stage.serve(script)
    detail = stage.run(server)["detail"]
    assert detail is None if words is None else detail.startswith(words) and len(detail) <= 300
    assert server.contents("setup") == []


@pytest.mark.parametrize(
    ("written", "contents"),
    [
        (b"ended\nnot ended", ["ended", "not ended"]),
        (b"\xff\xfe caf\xc3\xa9\n", ["\ufffd\ufffd café"]),
        (b"\n\nx\n", ["", "", "x"]),
        (b"10%\r20%\r100%\nwindows\r\n", ["100%", "windows"]),
    ],
)
def test_odd_output_is_kept(stage: Stage, written: bytes, contents: list[str]) -> None:
    server = stage.serve(f"import os; os.write(1, {written!r})")
    stage.run(server)
    assert server.contents() == contents


def test_a_line_of_a_megabyte_arrives_in_pieces(stage: Stage) -> None:
    server = stage.serve("print('é' * 500_000); print('after')")
    stage.run(server)
    *pieces, after = server.contents()
    assert "".join(pieces) == "é" * 500_000
    assert max(len(piece.encode()) for piece in pieces) <= 256 * 1024
    assert after == "after"


def test_many_lines_arrive_all(stage: Stage) -> None:
    # One write: unbuffered, 200 000 of them would be what is measured.
    server = stage.serve("print('\\n'.join(f'line {n}' for n in range(200_000)))")
    exit = stage.run(server)
    assert server.contents() == [f"line {n}" for n in range(200_000)]
    assert exit["lines"] == len(server.lines) == server.received


def test_the_process_sees_its_workspace_and_little_else(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_TOKEN", "secret of the machine")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    server = stage.serve(
        "import json, os, stat\n"
        "mode = lambda p: stat.S_IMODE(os.stat(p).st_mode)\n"
        "print(json.dumps([dict(os.environ), os.getcwd(), sorted(os.listdir('.dlt')),"
        " mode('.dlt/secrets.toml')]))",
        configuration=make_package({"secrets.toml": "password = 1"}),
        variables={"WORKSPACE__PROFILE": "prod", "HOME": "/elsewhere", "LANG": "de_DE.UTF-8"},
    )
    stage.run(server)
    variables, cwd, settings, secrets_mode = json.loads(server.contents()[0])
    storage = stage.node / "workspaces/0b1c/prod"
    environment = stage.node / "environments/empty"
    variables.pop("LC_CTYPE", None)  # Python's own, where the locale is unknown
    assert variables.keys() - {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} == {
        "WORKSPACE__PROFILE", "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "TZ",
        "WORKSPACE__SETTINGS__LOCAL_DIR",
    }  # fmt: skip
    assert variables["PATH"] == f"{environment}/bin:/usr/local/bin:/usr/bin:/bin"
    assert variables["HOME"] == str(stage.run_folder / "home")
    assert variables["LANG"] == "de_DE.UTF-8"
    assert variables["WORKSPACE__SETTINGS__LOCAL_DIR"] == str(storage)
    assert stat.S_IMODE(storage.stat().st_mode) == 0o700
    assert Path(cwd).name == "fruitshop"
    assert settings == [".workspace", "secrets.toml"]
    assert secrets_mode == 0o600


def test_the_run_folder_is_private_and_removed_but_data_stays(stage: Stage) -> None:
    server = stage.serve(
        "import os, pathlib\n"
        "pathlib.Path(os.environ['WORKSPACE__SETTINGS__LOCAL_DIR'], 'data').write_text('kept')\n"
        "print(oct(os.stat(pathlib.Path.home().parent).st_mode & 0o777))"
    )
    stage.run(server)
    assert server.contents() == ["0o700"]
    assert not stage.run_folder.exists()
    assert (stage.node / "workspaces/0b1c/prod/data").read_text() == "kept"


def test_the_server_hears_of_the_process(stage: Stage) -> None:
    server = stage.serve("import os; print(os.getpid(), os.getpgid(0), os.getsid(0))")
    stage.run(server)
    assert server.contents() == [f"{server.pid} {server.pid} {server.pid}"]


def test_a_claim_refused_starts_nothing(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.is_claimed = True
    assert stage.start(server).wait(20) == 0
    assert server.requests == ["claim"]
    assert not stage.run_folder.exists()


def test_of_two_runners_one_starts_the_process(stage: Stage) -> None:
    server = stage.serve("print('x')")
    assert [runner.wait(20) for runner in (stage.start(server), stage.start(server))] == [0, 0]
    assert server.contents() == ["x"]


def test_a_command_that_cannot_be_started_is_a_failed_setup(stage: Stage) -> None:
    exit = stage.run(stage.serve(command=["job.py\0"]))
    assert exit["cause"] == "setup_failed"
    assert "cannot be started" in exit["detail"]


@pytest.mark.parametrize(
    "launch",
    [
        {"root_name": "../out"},
        {"storage": "a/../../b"},
        {"environment": {"key": ".."}},
        {"environment": {"python_version": "../python"}},
        {"command": None},
    ],
)
def test_an_unusable_launch_is_reported(stage: Stage, launch: dict[str, object]) -> None:
    exit = stage.run(stage.serve(**launch))  # type: ignore[arg-type]
    assert exit["cause"] == "setup_failed"
    assert exit["exit_code"] is None


def test_secrets_stay_out_of_the_log(stage: Stage) -> None:
    server = stage.serve("raise SystemExit(1)", variables={"TOKEN": "hunter2"})
    stage.run(server)
    said = "\n".join(server.contents(source=None)) + (stage.node / "runner.log").read_text()
    assert not any(secret in said for secret in (SESSION, TICKET, "hunter2"))


def test_dlt_hub_is_taught_in_every_environment(stage: Stage) -> None:
    server = stage.serve("import sys; print('homeport_dlt_hub' in sys.modules)")
    stage.run(server)
    assert server.contents() == ["True"]


def test_without_a_node_the_runner_says_so() -> None:
    command = boot.argv(sys.executable, str(Path(boot.__file__).parent.parent), "http://x", "a", "t")
    env = {name: value for name, value in os.environ.items() if name != "HOMEPORT_NODE_DIR"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 64
    assert "HOMEPORT_NODE_DIR" in done.stderr


def test_the_environment_has_the_version_asked_for(stage: Stage) -> None:
    server = stage.serve("import sys; print('%d.%d' % sys.version_info[:2])")
    stage.run(server)
    assert server.contents() == [PYTHON_VERSION]


def test_files_of_the_launch_are_where_their_variables_say_and_gone_afterwards(stage: Stage) -> None:
    content = base64.b64encode(b'{"order": 17}\x00').decode()
    script = (
        "import os, stat\n"
        "path = os.environ['HOMEPORT_WEBHOOK_BODY_PATH']\n"
        "print(path)\n"
        "print(open(path, 'rb').read(), oct(stat.S_IMODE(os.stat(path).st_mode)))\n"
    )
    file = {"variable": "HOMEPORT_WEBHOOK_BODY_PATH", "name": "webhook-body", "content": content}
    server = stage.serve(script, inputs=[file])
    stage.run(server)
    path, shown = server.contents(io_stream="stdout")
    assert shown == repr(b'{"order": 17}\x00') + " 0o600"
    assert not Path(path).exists()


def test_working_state_that_is_carried_is_found_by_the_next_attempt(stage: Stage) -> None:
    script = """
        from pathlib import Path
        state = Path(".dlt/state/prod")
        state.mkdir(parents=True, exist_ok=True)
        with (state / "attempts").open("a") as file:
            file.write("one more ")
        print((state / "attempts").read_text())
    """
    for said in ("one more ", "one more one more "):
        server = stage.serve(dedent(script), carry="0a1b", notes=["Attempt 2 of 3, after: a fire"])
        stage.run(server)
        assert server.contents(io_stream="stdout") == [said]
        assert server.lines[0][1:] == ("other", "setup", "build", "Attempt 2 of 3, after: a fire")
    carried = stage.node / "carried" / "0a1b"
    assert stat.S_IMODE(carried.stat().st_mode) == 0o700
    assert not stage.run_folder.exists()


def test_nothing_is_carried_unless_it_is_asked_for_nor_into_another_folder(stage: Stage) -> None:
    script = "from pathlib import Path; print(Path('.dlt/state').exists())"
    server = stage.serve(script)
    stage.run(server)
    assert server.contents(io_stream="stdout") == ["False"]
    assert not (stage.node / "carried").exists()
    server = stage.serve(script, carry="../elsewhere")
    assert stage.run(server)["cause"] == "setup_failed"
