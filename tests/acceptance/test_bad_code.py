"""Code that behaves badly: its run ends in the right state with words that say why, and the next run is well."""

import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from ..small_disks import small_disk
from .conftest import NewWorkspace
from .servers import Homeport, is_alive, until
from .workspaces import OVER, PYPROJECT, Workspace

pytestmark = pytest.mark.acceptance

JOBS = """
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dlt
from dlt.hub import run

QUICK = {"timeout": {"timeout": 600, "grace_period": 1}, "intercept_signals": False}


@run.job
def well():
    Path("left").touch(exist_ok=False)
    signal.raise_signal(signal.SIGCONT)
    print("well in", os.getcwd() == str(Path(__file__).parent), threading.active_count() < 3)


@run.job
def leaves_a_daemon():
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            print("daemon", os.getpid(), flush=True)
            time.sleep(600)
        os._exit(0)
    os.wait()
    time.sleep(0.2)


@run.job
def closes_output():
    print("before", flush=True)
    os.close(1)
    os.close(2)


@run.job(execute=QUICK)
def prints_without_end():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting")
    while True:
        print("of no use to anybody " * 50)


@run.job
def leaves_a_thread():
    def late():
        time.sleep(1)
        print("late", flush=True)

    threading.Thread(target=late).start()


@run.job(execute={"timeout": {"timeout": 3, "grace_period": 1}})
def leaves_a_thread_for_ever():
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("returned", flush=True)


@run.job
def segfaults():
    print("before")
    ctypes.string_at(0)


@run.job
def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@run.job
def kills_its_group():
    os.killpg(0, signal.SIGKILL)


@run.job
def kills_its_parent():
    print("parent", os.getppid(), flush=True)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


@run.job
def ends_at_once():
    os._exit(0)


@run.job
def leaves_its_folder():
    os.chdir("/")
    print("in", os.getcwd())


@run.job
def deletes_its_folder():
    shutil.rmtree(os.getcwd())
    print("gone", os.path.exists(str(Path(__file__).parent)))


@run.job
def deletes_everything_around():
    place = Path(__file__).parents[2]
    shutil.rmtree(place, ignore_errors=True)
    print("gone", place.exists())


@run.job
def locks_its_folder():
    folder = Path("locked")
    folder.mkdir()
    (folder / "file").touch()
    folder.chmod(0)
    print("locked")


@run.job
def comes_back_twice():
    # a fork that comes back out of the job: two processes end the same run
    os.write(1, f"self {os.fork() == 0}\\n".encode())


@run.job
def writes_too_large_a_file():
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    Path("large").write_bytes(b"x" * 10_000)


@run.job
def says_nothing():
    os._exit(7)


def load(table):
    pipeline = dlt.pipeline(table, destination="warehouse", dataset_name="shop")
    pipeline.run([{"id": 1}], table_name=table)
    return pipeline


@run.job
def loads_and_holds():
    with load("loaves").sql_client() as client:
        print("holding", flush=True)
        while not (Path(dlt.current.run_context().local_dir) / "go").exists():
            time.sleep(0.05)
        print("rows", client.execute_sql("SELECT count(*) FROM loaves")[0][0])


@run.job
def loads():
    print("rows", load("rolls").dataset()("SELECT count(*) FROM rolls").fetchall()[0][0])


@run.job
def meets_no_launcher():
    pass


meets_no_launcher.launcher = "bakery.launchers.oven"


@run.job
def vanishes():
    pass


@run.job
def is_something_else():
    pass


if "RUNTIME__RUN_ID" in os.environ:
    del vanishes
    is_something_else = 12
"""

HIDDEN = """
from dlt.hub import run


@run.job
def stays_at_home():
    pass
"""

NAMES = re.findall(r"^@run.job.*\ndef (\w+)", JOBS, re.MULTILINE)
DEPLOYMENT = f"""
import shop
from hidden import stays_at_home

for name in {NAMES}:
    if hasattr(shop, name):
        globals()[name] = getattr(shop, name)
__all__ = {[*NAMES, "stays_at_home"]}
"""

FILES = {
    "shop.py": JOBS,
    "hidden.py": HIDDEN,
    ".gitignore": "hidden.py\n",
    "__deployment__.py": DEPLOYMENT,
}


@pytest.fixture(scope="module", params=["warm", "plain"])
def shop(
    request: pytest.FixtureRequest,
    server: Homeport,
    new_workspace: NewWorkspace,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    environments: Path,
) -> Iterator[Workspace]:
    """Its runs are forked from a warm process, or are programs of their own."""
    if request.param == "warm":
        yield deployed(new_workspace(server, FILES))
        return
    homeport = Homeport(tmp_path_factory.mktemp("plain"), environment, environments)
    homeport.settings["HOMEPORT_WARM"] = "off"
    try:
        yield deployed(new_workspace(homeport.start(), FILES))
    finally:
        homeport.close()


def deployed(shop: Workspace) -> Workspace:
    shop.dlthub("deploy")
    assert_well(shop)
    return shop


def assert_well(shop: Workspace) -> None:
    """A run that has done nothing bad is none the worse for those before it."""
    run = shop.run("well")
    assert run["status"] == "completed", shop.text(run["id"])
    assert "well in True True" in shop.text(run["id"])


GONE_WELL = {
    "closes_output": "before",
    "leaves_a_thread": "late",
    "ends_at_once": "",
    "leaves_its_folder": "in /",
    "deletes_its_folder": "gone False",
    "deletes_everything_around": "gone False",
    "locks_its_folder": "locked",
    "comes_back_twice": "self True",
}


@pytest.mark.parametrize(("name", "words"), GONE_WELL.items(), ids=list(GONE_WELL))
def test_what_is_odd_but_no_failure_completes(shop: Workspace, name: str, words: str) -> None:
    run = shop.run(name)
    assert run["status"] == "completed", shop.text(run["id"])
    assert words in shop.text(run["id"])
    assert_well(shop)


FAILED = {
    "segfaults": "was ended by signal 11 (SIGSEGV)",
    "kills_itself": "was ended by signal 9 (SIGKILL), which Homeport did not send",
    "kills_its_group": "was ended by signal 9 (SIGKILL), which Homeport did not send",
    "kills_its_parent": "The process that held the run was killed",
    "says_nothing": "The process ended with exit code 7.",
    "writes_too_large_a_file": "OSError: [Errno 27] File too large",
    "meets_no_launcher": "'bakery.launchers.oven' (ModuleNotFoundError: No module named 'bakery')",
    "vanishes": "Cannot resolve job 'shop.vanishes': AttrNotFound (module 'shop' has no attribute 'vanishes')",
    "is_something_else": "Cannot resolve job 'shop.is_something_else': expected JobFactory, got int",
    "stays_at_home": "Cannot resolve job 'hidden.stays_at_home': ModuleSpecNotFound",
}


@pytest.mark.parametrize(("name", "words"), FAILED.items(), ids=list(FAILED))
def test_a_failure_has_its_reason_in_the_log(shop: Workspace, name: str, words: str) -> None:
    ended = shop.call("dlthub", "run", name, "-f")
    assert ended.exit_code == 1, ended.output
    assert "status: failed" in ended.output
    assert words in ended.output
    assert_well(shop)


def test_a_daemon_does_not_outlive_its_run(shop: Workspace) -> None:
    run = shop.run("leaves_a_daemon")
    assert run["status"] == "completed"
    assert not is_alive(int(shop.text(run["id"]).rpartition("daemon ")[2].split()[0]))
    assert_well(shop)


def test_a_thread_that_never_ends_ends_with_the_time_limit(shop: Workspace) -> None:
    run = shop.run("leaves_a_thread_for_ever")
    assert run["status"] == "cancelled"
    assert "The timeout of 3 s is over" in shop.text(run["id"])
    assert_well(shop)


def test_output_without_end_can_be_cancelled(shop: Workspace) -> None:
    run_id = shop.trigger("manual:*prints_without_end")["id"]
    shop.until_said(run_id, "waiting")
    shop.dlthub("job", "cancel", "prints_without_end")
    assert shop.ended(run_id)["status"] == "cancelled"
    assert "did not end within 1 s of grace and was killed" in shop.text(run_id)
    assert_well(shop)


def test_two_runs_on_one_duckdb_file_take_turns_or_are_told_to(shop: Workspace) -> None:
    holding = shop.trigger("manual:*loads_and_holds")["id"]
    shop.until_said(holding, "holding")
    late = shop.run("*shop.loads")
    assert late["status"] == "failed"
    assert "A DuckDB file was in use by another process" in shop.text(late["id"])
    (shop.server.data / "node" / "workspaces" / shop.id / "prod" / "go").touch()
    assert shop.ended(holding)["status"] == "completed"
    again = shop.run("*shop.loads")
    assert again["status"] == "completed"
    assert "rows 1" in shop.text(again["id"])


# packages that run code at install

BUILDS = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "oven"
version = "{version}"
"""


def sdist(folder: Path, backend: str) -> str:
    """A requirement whose wheel this code builds."""
    version = f"0.{time.time_ns()}"  # uv keeps what it has built once
    name = f"oven-{version}"
    (folder / name).mkdir()
    (folder / name / "pyproject.toml").write_text(BUILDS.format(version=version))
    (folder / name / "backend.py").write_text(dedent(backend))
    (folder / name / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: oven\nVersion: {version}\n")
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as tar:
        tar.add(folder / name, name)
    return f"oven @ file://{folder}/{name}.tar.gz"


def test_a_package_that_fails_to_build_fails_its_run_in_its_own_words(
    server: Homeport, new_workspace: NewWorkspace, tmp_path: Path
) -> None:
    requirement = sdist(
        tmp_path,
        """
        import os, shutil, subprocess, sys
        from pathlib import Path

        def build_wheel(*_, **__):
            Path.home().joinpath("crumbs").write_text("here I was")
            nowhere = subprocess.DEVNULL
            daemon = [sys.executable, "-c", "import time; time.sleep(600)"]
            subprocess.Popen(daemon, start_new_session=True, stdout=nowhere, stderr=nowhere)
            shutil.rmtree(os.getcwd())
            raise SystemExit("the oven is cold")
        """,
    )
    job = "from dlt.hub import run\n\n\n@run.job\ndef bake():\n    pass\n"
    bakery = new_workspace(
        server,
        {
            "bakery.py": job,
            "__deployment__.py": "from bakery import bake\n\n__all__ = ['bake']\n",
            "pyproject.toml": PYPROJECT.replace('<1.32"', f'<1.32", "{requirement}"'),
        },
    )
    ended = bakery.call("dlthub", "run", "bake", "-f")
    assert ended.exit_code == 1
    assert "status: failed" in ended.output
    assert "the oven is cold" in ended.output
    bakery.write({"pyproject.toml": PYPROJECT})
    assert "status: completed" in bakery.dlthub("run", "bake", "-f")


# a full disk

FILLS = """
from dlt.hub import run


@run.job
def fills_the_disk():
    with open("large", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65536)


@run.job
def fits():
    print("well")
"""


@pytest.fixture
def small_server(own_server: Homeport, tmp_path: Path) -> Iterator[Homeport]:
    """All of its data is on a disk of 48 MiB."""
    environments = own_server.data / "node" / "environments"
    with small_disk(tmp_path / "small", "48m") as small:
        (small / "node").mkdir(mode=0o700)
        (small / "node" / "environments").symlink_to(environments.readlink())
        own_server.data = small
        try:
            yield own_server.start()
        finally:
            own_server.close()


def test_a_run_that_fills_the_disk_of_the_server_fails_and_gives_it_back(
    small_server: Homeport, new_workspace: NewWorkspace
) -> None:
    shop = new_workspace(
        small_server,
        {
            "bad.py": FILLS,
            "__deployment__.py": "import bad\nfrom bad import *\n\n__all__ = ['fills_the_disk', 'fits']\n",
        },
    )
    shop.dlthub("deploy")
    run = shop.trigger("manual:*fills_the_disk")
    path = f"/api/v1/workspaces/{shop.id}/job-runs/{run['id']}"

    def is_over() -> bool:
        answer = small_server.http.get(path)
        assert answer.status_code in (200, 503), answer.text  # a server whose disk is full says so
        return answer.status_code == 200 and answer.json()["status"] in OVER

    until(is_over)
    assert shop.state_of(run["id"])["status"] == "failed"
    assert "OSError: [Errno 28] No space left on device" in shop.text(run["id"])
    assert shop.run("fits")["status"] == "completed"
