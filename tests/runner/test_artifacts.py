"""What a run leaves of its pipelines reaches the server; what the server keeps reaches an app."""

from __future__ import annotations

import io
import json
import pickle
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from homeport_runner import artifacts

from .conftest import Stage, until

LEAVE = """
    import json, os, pathlib

    folder = pathlib.Path(os.environ["SEND__ARTIFACTS__BUCKET_URL"].removeprefix("file://"))

    def leave(name, **files):
        for path, content in files.items():
            path = folder / name / {"state": "state.json", "trace": "trace.pickle"}.get(path, f"schemas/{path}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
"""
OUT = {"profile": "prod", "sync": False, "attach": False}
IN = {"profile": "access", "sync": True, "attach": True}
STATE = {
    "_state_version": 7,
    "_version_hash": "h",
    "sources": {"shop": {"last": 3}},
    "destination_name": "warehouse",
    "_local": {"initial_cwd": "/elsewhere", "first_run": False},
}


@pytest.fixture
def stage(tmp_path: Path, empty_environment: Path) -> Iterator[Stage]:
    """How a run is started makes no difference here."""
    (tmp_path / "environments").symlink_to(empty_environment.parent)
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def leaving(script: str) -> str:
    return dedent(LEAVE) + dedent(script)


def unpacked(archive: bytes) -> dict[str, bytes]:
    return {name: file.content for name, file in artifacts.unpack(archive).items()}


def archive(files: Mapping[str, str | bytes], mtime: float = 1_700_000_000.25) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            content = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), mtime
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def test_what_a_run_leaves_is_there_before_its_end_is_told(stage: Stage) -> None:
    script = leaving("""
        leave("fruit shop", state='{"a": 1}', trace=b"t", shop="{}")
        (folder / "fruit shop" / "notes.txt").write_text("none of dlt's")
    """)
    server = stage.serve(script, artifacts=OUT)
    assert stage.run(server)["exit_code"] == 0
    [(name, sent, age)] = server.brought
    assert (name, unpacked(sent)) == (
        "fruit shop",
        {"state.json": b'{"a": 1}', "trace.pickle": b"t", "schemas/shop": b"{}"},
    )
    assert 0 <= age < 60
    assert server.requests.index("exit") > server.requests.index("artifacts/fruit%20shop")


def test_a_long_run_sends_what_has_come_to_rest_and_only_what_has_changed(stage: Stage) -> None:
    script = leaving("""
        leave("first", state="1")
        leave("second", state="1")
        input_ = pathlib.Path("go")
        while not input_.exists():
            pass
        leave("second", state="22")
    """)
    server = stage.serve(script, artifacts=OUT)
    process = stage.start(server)
    server.wait(lambda s: len(s.brought) == 2)
    (stage.run_folder / "work" / "fruitshop" / "go").touch()
    assert process.wait(20) == 0
    assert [(name, unpacked(sent)["state.json"]) for name, sent, _ in server.brought] == [
        ("first", b"1"),
        ("second", b"1"),
        ("second", b"22"),
    ]


def test_links_odd_names_and_odd_files_stay_where_they_are(stage: Stage) -> None:
    script = leaving("""
        leave("good", state="1")
        (folder / "good" / "trace.pickle").symlink_to("/etc/hostname")
        (folder / "linked").symlink_to(folder / "good")
        os.mkfifo(folder / "good" / "schemas")
        leave("bad\\nname", state="1")
        os.makedirs(os.fsencode(folder) + b"/\\xff")
        leave("empty")
    """)
    server = stage.serve(script, artifacts=OUT)
    stage.run(server)
    assert [(name, unpacked(sent)) for name, sent, _ in server.brought] == [("good", {"state.json": b"1"})]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('leave("big", state=b"x" * (65 * 2**20))', "more than 1000 files or 67108864 bytes"),
        ('leave("big", trace=os.urandom(17 * 2**20))', "packed, they are more than 16777216 bytes"),
        ('leave("big", **{f"s{n}": "" for n in range(1001)})', "more than 1000 files"),
    ],
)
def test_too_much_is_not_sent_and_told_once(stage: Stage, script: str, why: str) -> None:
    server = stage.serve(leaving(script + '\nleave("small", state="1")'), artifacts=OUT)
    assert stage.run(server)["exit_code"] == 0
    assert [name for name, _, _ in server.brought] == ["small"]
    [line] = [line for line in server.contents("runner") if "artifacts" in line]
    assert "'big'" in line
    assert why in line


@pytest.mark.parametrize(("status", "why"), [(413, "HTTP 413"), (503, "HTTP 503")])
def test_a_server_that_does_not_take_them_takes_the_end(stage: Stage, status: int, why: str) -> None:
    script = leaving('leave("a", state="1")\nleave("b", state="1")')
    server = stage.serve(script, artifacts=OUT, lease_seconds=20.0)
    server.refuses_artifacts = status
    assert stage.run(server)["exit_code"] == 0
    [line] = [line for line in server.contents("runner") if "rtifacts" in line]
    assert why in line


def test_a_server_that_is_away_gets_them_when_it_is_back(stage: Stage) -> None:
    script = leaving("""
        print("ready", flush=True)
        while not pathlib.Path("go").exists():
            pass
        leave("shop", state="1")
    """)
    server = stage.serve(script, artifacts=OUT)
    process = stage.start(server)
    server.wait(lambda s: "ready" in s.contents())
    server.go_away()
    (stage.run_folder / "work" / "fruitshop" / "go").touch()
    until(lambda: not (stage.run_folder / "work").exists())  # its process has ended
    server.come_back()
    assert process.wait(20) == 0
    assert [name for name, _, _ in server.brought] == ["shop"]
    assert server.exit is not None


def test_a_trace_leaves_without_secrets_and_can_still_be_read(stage: Stage) -> None:
    script = leaving("""
        import pickle
        leave("shop", trace=pickle.dumps({"error": "no way in with hunter2-hunter2", "step": "load"}))
    """)
    server = stage.serve(script, artifacts=OUT, secrets=["hunter2-hunter2"])
    stage.run(server)
    trace = unpacked(server.brought[0][1])["trace.pickle"]
    assert pickle.loads(trace) == {"error": f"no way in with {'*' * 15}", "step": "load"}


def test_the_folder_of_local_data_is_not_in_a_state_that_travels(stage: Stage) -> None:
    script = leaving("""
        local = {"initial_cwd": os.environ["WORKSPACE__SETTINGS__LOCAL_DIR"], "first_run": False}
        leave("shop", state=json.dumps({"_local": local, "é": "\\uf029"}))
        leave("other", state=json.dumps({"_local": {"initial_cwd": "/of/the/author"}}))
    """)
    server = stage.serve(script, artifacts=OUT)
    stage.run(server)
    states = {name: json.loads(unpacked(sent)["state.json"]) for name, sent, _ in server.brought}
    assert states == {
        "shop": {"_local": {"first_run": False}, "é": "\uf029"},
        "other": {"_local": {"initial_cwd": "/of/the/author"}},
    }


# what comes to an app

LOOK = """
    import json, os, pathlib, time

    synced = pathlib.Path(os.environ["SYNC__ARTIFACTS__BUCKET_URL"].removeprefix("file://"))
    state = pathlib.Path(".dlt/state")

    def show():
        for top in (synced, state):
            for path in sorted(top.rglob("*")):
                if path.is_file():
                    print(top.name, path.relative_to(top), path.stat().st_mtime, path.read_text(), flush=True)
"""


def test_an_app_finds_artifacts_when_it_starts(stage: Stage) -> None:
    server = stage.serve(dedent(LOOK) + "\nshow()", artifacts=IN)
    server.artifacts = {"fruit shop": archive({"state.json": json.dumps(STATE), "trace.pickle": "t"})}
    stage.run(server)
    kept = json.dumps({**_attaching(STATE)}, separators=(",", ":"))
    assert server.contents() == [
        f"synced access/pipelines/fruit shop/state.json 1700000000.25 {json.dumps(STATE)}",
        "synced access/pipelines/fruit shop/trace.pickle 1700000000.25 t",
        f"state access/pipelines/fruit shop/state.json 1700000000.25 {kept}",
        "state access/pipelines/fruit shop/trace.pickle 1700000000.25 t",
    ]


def _attaching(state: dict[str, object]) -> dict[str, object]:
    rest = {key: value for key, value in state.items() if key not in ("sources", "_version_hash")}
    return {**rest, "_state_version": 0}


def test_while_an_app_lives_it_gets_what_is_new_but_keeps_what_is_its_own(stage: Stage) -> None:
    script = dedent(LOOK) + dedent("""
        own = state / "access" / "pipelines" / "own" / "state.json"
        own.write_text("mine")
        print("ready", flush=True)
        trace = state / "access" / "pipelines" / "shop" / "trace.pickle"
        while (synced / "access" / "pipelines" / "gone").exists() or "2" not in trace.read_text():
            time.sleep(0.05)
        show()
    """)
    server = stage.serve(script, artifacts=IN)
    server.artifacts = {
        "gone": archive({"trace.pickle": "1"}),
        "own": archive({"state.json": "{}"}),
        "shop": archive({"trace.pickle": "1", "schemas/old": "1"}),
    }
    process = stage.start(server)
    server.wait(lambda s: "ready" in s.contents())
    server.artifacts = {
        "own": archive({"state.json": "[]"}),
        "shop": archive({"trace.pickle": "2", "schemas/new": "2"}),
    }
    assert process.wait(60) == 0
    assert [re.sub(r" [\d.]+ (\S+)$", r" \1", line) for line in server.contents()[1:]] == [
        "synced access/pipelines/own/state.json []",
        "synced access/pipelines/shop/schemas/new 2",
        "synced access/pipelines/shop/trace.pickle 2",
        "state access/pipelines/gone/trace.pickle 1",
        "state access/pipelines/own/state.json mine",
        "state access/pipelines/shop/schemas/new 2",
        "state access/pipelines/shop/trace.pickle 2",
    ]


@pytest.mark.parametrize(
    "files",
    [{"../../escape": "x"}, {"/tmp/escape": "x"}, {"schemas/..": "x"}, {"schemas/a/b": "x"}, {"load/x": "x"}],
    ids=lambda files: next(iter(files)),
)
def test_an_archive_with_anything_else_in_it_is_left_alone(files: Mapping[str, str]) -> None:
    with pytest.raises(artifacts.Unusable):
        artifacts.unpack(archive({"state.json": "1", **files}))


def test_a_server_that_gives_none_lets_the_app_start_and_says_so(stage: Stage) -> None:
    server = stage.serve("print('started')", artifacts=IN)
    server.broken.add("artifacts")
    assert stage.run(server)["exit_code"] == 0
    assert server.contents() == ["started"]
    assert any("could not be had yet" in line for line in server.contents("runner"))


def test_a_pipeline_that_cannot_be_had_keeps_no_other_away(stage: Stage) -> None:
    server = stage.serve(dedent(LOOK) + "\nprint(*os.listdir(synced / 'access' / 'pipelines'))", artifacts=IN)
    server.artifacts = {"bad": archive({"trace.pickle": "t"}), "good": archive({"trace.pickle": "t"})}
    server.broken.add("artifacts/bad")
    stage.run(server)
    assert server.contents() == ["good"]


def test_names_of_pipelines_are_plain() -> None:
    assert all(map(artifacts.is_plain, ("shop", "Früchte", "a b", ".hidden", "x" * 200)))
    bad = ("", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "\udcff", "x" * 201, "ü" * 128)
    assert not any(map(artifacts.is_plain, bad))
