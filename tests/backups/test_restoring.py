"""A backup comes back as it was, or not at all."""

import gzip
import io
import os
import signal
import tarfile
import threading
import zlib
from datetime import timedelta
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy as sa

from homeport.auth import master_keys
from homeport.errors import BackupError, SetupError
from homeport.operations import restore
from homeport.server import Server
from homeport.store import artifacts, audit_log, log_objects, packages
from homeport.store.database import Database, _alembic_config

from ..builders import definition, until
from ..databases import on_both
from ..operations.test_artifacts import bring, traced
from .conftest import Place

START_SECONDS = 120.0
"""Of a command, on a machine that is busy with other tests."""

FILE = Path("node", "workspaces", "w", "prod", "data.parquet")


@pytest.fixture
def backend() -> str:
    return "sqlite"


@on_both
def test_everything_is_there_again(place: Place) -> None:
    world = place.world
    world.deploy(definition("a"))
    done = world.complete("a")
    made = place.back_up()
    place.restore(made.path)
    there = place.restored()
    assert there.run(done.id) == done
    with there.database.read() as tx:
        versions = [packages.latest(tx, world.workspace.id, kind) for kind in ("deployments", "configurations")]
        assert list(audit_log.faults(tx)) == []
    for version in versions:
        assert version is not None
        where = (version.workspace_id, version.kind, version.archive_sha256)
        assert there.platform.blobs.get(*where) == world.platform.blobs.get(*where)
    assert (place.target.data_dir / FILE).read_bytes() == b"loaves"
    assert there.complete("a").number == 2


@on_both
def test_what_pipelines_left_is_there_again_but_for_what_was_replaced_meanwhile(place: Place) -> None:
    world = place.world
    world.deploy(definition("a"))
    runner = world.running("a")
    bring(runner, traced(b"stays"), "orders")
    bring(runner, traced(b"goes"), "stock")
    with world.database.read() as tx:
        stays, goes = artifacts.of_profile(tx, world.workspace.id, "prod")
    world.platform.blobs.delete(world.workspace.id, artifacts.KIND, goes.object)
    made = place.back_up()
    assert (made.missing_artifacts, made.is_whole) == ([goes.object], True)
    place.restore(made.path)
    there = place.restored()
    with there.database.read() as tx:
        assert artifacts.of_profile(tx, world.workspace.id, "prod") == [stays]
    assert there.platform.blobs.get(world.workspace.id, artifacts.KIND, stays.object) == traced(b"stays")


def test_only_its_owner_can_read_a_backup_and_the_key_is_in_it_on_demand_only(place: Place) -> None:
    made = place.back_up()
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert place.key.read_bytes() not in gzip.decompress(made.path.read_bytes())
    place.world.advance(seconds=1)
    with_key = place.back_up(keys=master_keys.source_of(place.key.parent, None)).path
    assert place.key.read_bytes() in gzip.decompress(with_key.read_bytes())
    restored = place.restore(with_key, key=None)
    assert restored.key_path is not None
    assert restored.key_path.read_bytes() == place.key.read_bytes()
    assert restored.key_path.stat().st_mode & 0o777 == 0o600


@on_both
def test_with_the_wrong_key_or_none_nothing_is_changed(place: Place, tmp_path: Path) -> None:
    backup = place.back_up().path
    wrong = tmp_path / "wrong.key"
    wrong.write_text("d3JvbmcgYnV0IGV4YWN0bHkgdGhpcnR5LXR3byBieXQ=")
    for key, said in ((wrong, "has the fingerprint"), (None, "Pass its file with --key")):
        with pytest.raises(BackupError, match=said):
            place.restore(backup, key=key)
        assert place.is_untouched


def reads_the_same(content: bytearray, backup: Path) -> bool:
    try:
        return gzip.decompress(content) == gzip.decompress(backup.read_bytes())
    except (OSError, EOFError, zlib.error):
        return False


@pytest.mark.parametrize("harm", ["middle", "end", "cut", "cut early", "text"])
def test_a_damaged_file_is_refused_before_anything_changes(place: Place, harm: str) -> None:
    backup = place.back_up().path
    content = bytearray(backup.read_bytes())
    if harm in ("middle", "end"):
        at = len(content) // 2 if harm == "middle" else len(content) - 6
        content[at] ^= 0x40
        while reads_the_same(content, backup):  # another way to say a row of zeros
            at += 1
            content[at] ^= 0x40
    harmed = {"cut": content[:-1], "cut early": content[:700], "text": b"this is no backup"}.get(harm, content)
    backup.write_bytes(harmed)
    for attempt in (lambda: restore.check(backup), lambda: place.restore(backup)):
        with pytest.raises(BackupError, match="is damaged"):
            attempt()
    assert place.is_untouched


def forge(path: Path, member: tarfile.TarInfo) -> None:
    """Put an empty member before the end of a backup."""
    with tarfile.open(path) as tar:
        members = [(info, tar.extractfile(info)) for info in tar.getmembers()]
        contents = [(info, b"" if file is None else file.read()) for info, file in members]
    with tarfile.open(path, "w:gz") as tar:
        for info, content in [*contents[:-1], (member, b""), contents[-1]]:
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        ("workspaces/../../evil", tarfile.REGTYPE),
        ("/tmp/evil", tarfile.REGTYPE),
        ("workspaces/link", tarfile.SYMTYPE),
        ("workspaces/link", tarfile.LNKTYPE),
        ("workspaces/pipe", tarfile.FIFOTYPE),
        ("homeport.toml", tarfile.REGTYPE),
    ],
)
def test_what_would_leave_the_folder_is_refused(place: Place, name: str, kind: bytes) -> None:
    backup = place.back_up().path
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    forge(backup, member)
    with pytest.raises(BackupError, match=r"does not belong into it|neither a file nor a folder"):
        place.restore(backup)
    assert place.is_untouched


@on_both
def test_nothing_is_written_over(place: Place) -> None:
    backup = place.back_up().path
    place.restore(backup)
    there = place.restored()
    there.deploy(definition("newer"))
    with pytest.raises(BackupError, match="never writes over one"):
        place.restore(backup)
    assert there.current("newer")
    with pytest.raises(BackupError, match="never replaces another one"):
        place.back_up()


@on_both
def test_an_older_schema_is_brought_up_to_date(place: Place, empty_database_url: str) -> None:
    old = Database(empty_database_url)
    with old.write() as tx:
        alembic.command.upgrade(_alembic_config(tx), "0003")
    old.close()
    place.settings = place.settings.model_copy(update={"database_url": empty_database_url})
    made = place.back_up()
    assert made.about.revision == "0003"
    place.restore(made.path)
    with place.restored().database.read() as tx:
        assert sa.inspect(tx).has_table("log_objects")


def test_a_newer_schema_is_refused(place: Place) -> None:
    with place.world.database.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BackupError, match="newer than this one"):
        place.restore(place.back_up().path)
    assert place.is_untouched


@on_both
def test_a_backup_that_is_killed_leaves_nothing_under_its_name(place: Place) -> None:
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.001):
            (place.settings.data_dir / FILE).write_bytes(os.urandom(9))

    place.closing.callback(over.set)
    threading.Thread(target=write).start()
    options = ["--data-dir", place.settings.data_dir, "--database-url", place.settings.database_url]
    with place.command("backup", place.folder, *options, "--wait", 600) as process:
        until(lambda: list(place.folder.glob(".homeport-backup-*/archive")), START_SECONDS)
        process.send_signal(signal.SIGKILL)
    over.set()
    assert list(place.folder.glob("*.tar.gz")) == []
    made = place.back_up()
    assert list(place.folder.iterdir()) == [made.path], "nor anything else, once there is another one"


@on_both
def test_a_restore_that_is_killed_is_known_and_begins_anew(place: Place, tmp_path: Path) -> None:
    backup, target = place.back_up().path, place.target
    pipe = tmp_path / "pipe.tar.gz"
    os.mkfifo(pipe)
    options = ["--data-dir", target.data_dir, "--database-url", target.effective_database_url, "--key", place.key]
    with place.command("restore", pipe, *options) as process, pipe.open("wb", buffering=0) as file:
        file.write(backup.read_bytes()[:-20])
        until(lambda: list(target.data_dir.glob("restoring/*")))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with pytest.raises(SetupError, match="Run `homeport restore` again"):
        Server(target).open()
    place.restore(backup)
    assert list(target.data_dir.glob("restoring")) == []
    assert place.restored().workspace == place.world.workspace


def test_one_that_was_killed_while_it_put_things_in_place_says_what_has_to_go(place: Place) -> None:
    for folder in ("restoring", "node/workspaces/w"):
        (place.target.data_dir / folder).mkdir(parents=True)
        (place.target.data_dir / folder / "file").touch()
    with pytest.raises(BackupError, match="empty what is named here") as error:
        place.restore(place.back_up().path)
    assert error.value.reasons == [str(place.target.data_dir / "node" / "workspaces")]
    assert (place.target.data_dir / "restoring" / "file").exists(), "what keeps servers from starting stays"


def test_runs_that_were_going_on_are_lost_and_what_waited_goes_on(place: Place) -> None:
    world = place.world
    world.deploy(definition("a"), definition("b"))
    going_on = world.running("a")
    going_on.say(0, "a line")
    waiting = world.start("b")
    world.advance(minutes=5)
    restored = place.restore(place.back_up().path)
    assert restored.settled.lost == 1
    there = place.restored()
    lost = there.run(going_on.run_id)
    assert (lost.status, lost.end_cause) == ("failed", "lost")
    assert "restored from the backup of 2026-03-02 12:05 UTC" in (lost.end_detail or "")
    assert there.complete_run(there.run(waiting.id)).status == "completed"
    assert len(there.engine.placements) == 1, "nothing is started twice"


def test_restored_with_paused_nothing_starts_by_itself(place: Place) -> None:
    world = place.world
    world.deploy(definition("clock", "schedule:0 * * * *"), definition("after", "job.fail:jobs.clock"))
    world.running("clock")
    world.start("after")
    restored = place.restore(place.back_up().path, is_paused=True)
    there = place.restored()
    there.advance(hours=3)
    there.fire()
    there.submit()
    assert there.engine.placements == []
    assert (restored.settled.paused, restored.settled.lost) == (1, 1)


@on_both
def test_missed_moments_follow_their_usual_rules(place: Place) -> None:
    world = place.world
    world.deploy(definition("clock", "schedule:0 * * * *"))
    world.advance(hours=1)
    world.fire()
    done = world.complete_run(world.runs_of("clock")[0])
    place.restore(place.back_up().path)
    there = place.restored()
    there.advance(hours=3)
    there.fire()
    [_, run] = there.runs_of("clock")
    assert (run.interval_start, run.interval_end - run.interval_start) == (done.interval_end, timedelta(hours=3))


def test_a_log_that_goes_meanwhile_is_told_and_known_as_removed(place: Place) -> None:
    world = place.world
    world.deploy(definition("a"))
    run = world.complete("a")
    with world.database.write() as tx:
        now = world.clock.now()
        log_objects.add(tx, log_objects.LogObject(f"hp-{run.id.hex}-1", "logs/gone", 1, 9, [[0, 0, 9]], now, now))
    made = place.back_up()
    assert made.missing_logs == [f"hp-{run.id.hex}-1"]
    assert made.is_whole
    place.restore(made.path)
    with place.restored().database.read() as tx:
        found = log_objects.get(tx, f"hp-{run.id.hex}-1")
    assert found is not None
    assert "does not hold it" in (found.removed_because or "")
