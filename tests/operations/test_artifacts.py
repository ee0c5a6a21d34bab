"""Runs bring what their pipelines leave; the latest of each pipeline is kept, for runs of the same data only."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa

from homeport.contract.runner_protocol import ArtifactsAnswer
from homeport.dispatch.pruning import PruneExpired
from homeport.errors import BadRequest, Conflict, NotFound, NotSignedIn, TooLarge
from homeport.operations import artifacts
from homeport.store import artifacts as stored

from ..builders import at_once, definition, interactive
from ..databases import on_both
from ..world import Runner, World

SECRET = b"sk_live_4f9a8b7c6d"


def archive(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


@cache  # which is packed anew has another moment in its head
def traced(content: bytes) -> bytes:
    return archive({"trace.pickle": content})


def bring(runner: Runner, content: bytes, pipeline: str = "shop", age: float = 0) -> None:
    artifacts.take_in(runner.world.platform, runner.attempt_id, runner.launch.session, pipeline, content, age)


def listed(runner: Runner, known: str | None = None) -> ArtifactsAnswer:
    return artifacts.kept(runner.world.platform, runner.attempt_id, runner.launch.session, known)


def had(runner: Runner) -> dict[str, bytes]:
    """What a run can have, by pipelines; each as the list says it is."""
    found = {}
    for item in listed(runner).pipelines or []:
        content = artifacts.archive_of(
            runner.world.platform, runner.attempt_id, runner.launch.session, item.pipeline
        )
        assert hashlib.sha256(content).hexdigest() == item.sha256
        found[item.pipeline] = content
    return found


def objects(world: World) -> list[Path]:
    return list((world.platform.settings.data_dir / "storage").rglob("artifacts/*"))


def strays(world: World) -> int:
    with world.database.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(stored.strays)).scalar_one())


@pytest.fixture
def loading(world: World) -> Runner:
    """A run under `prod`."""
    world.upload("configurations", {f"{profile}.config.toml": "" for profile in ("prod", "access", "staging")})
    world.deploy(definition("a"), definition("b"), interactive("board"))
    return world.running("a")


def test_the_later_of_two_runs_stays_whoever_reports_first(world: World, loading: Runner) -> None:
    later = world.running("b")
    world.advance(minutes=10)
    bring(later, traced(b"later"), age=60)
    bring(loading, traced(b"earlier"), age=120)
    assert had(later) == {"shop": traced(b"later")}
    bring(loading, traced(b"latest"), age=30)
    assert had(later) == {"shop": traced(b"latest")}


def test_no_run_brings_what_is_older_than_itself(world: World, loading: Runner) -> None:
    """Whatever the clock or the files of its machine say."""
    world.advance(hours=1)
    bring(loading, traced(b"1"), age=50 * 365 * 86_400.0)
    with world.database.read() as tx:
        [kept] = stored.of_profile(tx, world.workspace.id, "prod")
    assert kept.written_at == world.attempt(world.run(loading.run_id)).created_at
    assert kept.run_id == loading.run_id


@on_both
def test_what_is_replaced_is_removed(world: World, loading: Runner) -> None:
    world.advance(hours=1)
    for number in range(3):
        bring(loading, traced(b"%d" % number))
    bring(loading, traced(b"2"))  # again, for its answer was lost
    bring(loading, traced(b"old"), age=1800)
    bring(loading, traced(b"x"), pipeline="other")
    assert (len(objects(world)), strays(world)) == (2, 0)
    assert had(loading) == {"other": traced(b"x"), "shop": traced(b"2")}


@on_both
def test_many_at_once_leave_one(world: World, loading: Runner) -> None:
    at_once(6, lambda number: bring(loading, traced(b"%d" % number)))
    assert (len(had(loading)), len(objects(world)), strays(world)) == (1, 1, 0)


def test_an_object_whose_writer_died_is_removed_later(world: World, loading: Runner) -> None:
    now, workspace = world.clock.now(), world.workspace.id
    with world.database.write() as tx:
        stored.announce(tx, workspace, "dead", now)
        stored.announce(tx, workspace, "never-written", now)
    world.platform.blobs.put_sealed(workspace, stored.KIND, "dead", b"x")
    bring(loading, traced(b"1"))
    duty = PruneExpired(world.database, world.platform.blobs)
    duty.work(now + timedelta(minutes=59))
    assert (len(objects(world)), strays(world)) == (2, 2)
    duty.work(now + timedelta(minutes=61))
    assert (len(objects(world)), strays(world)) == (1, 0)
    assert had(loading) == {"shop": traced(b"1")}


def test_a_writer_whose_object_was_taken_for_dead_keeps_nothing(world: World, loading: Runner) -> None:
    bring(loading, traced(b"1"))
    with world.database.write() as tx:
        [kept] = stored.of_profile(tx, world.workspace.id, "prod")
        lost = stored.Artifacts(**{**kept.__dict__, "object": "removed"})
        assert stored.keep(tx, lost, world.clock.now()) == []
    assert had(loading) == {"shop": traced(b"1")}


def test_access_has_what_prod_has_loaded_and_another_profile_nothing(world: World, loading: Runner) -> None:
    bring(loading, traced(b"of prod"))
    board, staging = world.running("board", profile="access"), world.running("b", profile="staging")
    assert had(board) == {"shop": traced(b"of prod")}
    assert had(staging) == {}
    bring(staging, traced(b"of staging"))
    assert had(board) == {"shop": traced(b"of prod")}
    with pytest.raises(NotFound):
        artifacts.archive_of(world.platform, board.attempt_id, board.launch.session, "other")


def test_another_workspace_has_none_of_it(world: World, loading: Runner) -> None:
    bring(loading, traced(b"ours"))
    _, elsewhere = world.stranger()
    with world.database.read() as tx:
        assert stored.of_profile(tx, elsewhere.id, "prod") == []
        assert stored.of_pipeline(tx, elsewhere.id, "shop") == []


def test_nothing_in_storage_can_be_read(world: World, loading: Runner) -> None:
    bring(loading, traced(SECRET))
    [kept] = objects(world)
    assert SECRET not in kept.read_bytes()
    assert traced(SECRET)[:20] not in kept.read_bytes()


def test_who_knows_the_list_is_told_only_when_it_changes(loading: Runner) -> None:
    bring(loading, traced(b"1"))
    first = listed(loading)
    assert listed(loading, first.etag).pipelines is None
    bring(loading, traced(b"2"))
    second = listed(loading, first.etag)
    assert second.pipelines is not None
    assert second.etag != first.etag


def test_only_an_attempt_that_is_alive_brings_and_gets(world: World, loading: Runner) -> None:
    loading.exit(0)
    platform = world.platform
    for session, error in ((loading.launch.session, Conflict), ("an intruder's", NotSignedIn)):
        with pytest.raises(error):
            artifacts.take_in(platform, loading.attempt_id, session, "shop", traced(b"1"), 0)
        with pytest.raises(error):
            artifacts.kept(platform, loading.attempt_id, session, None)
        with pytest.raises(error):
            artifacts.archive_of(platform, loading.attempt_id, session, "shop")


@pytest.mark.parametrize(("most", "most_bytes", "left"), [(2, 1000, "bc"), (9, 150, "c"), (9, 1000, "abc")])
def test_too_many_or_too_large_ones_push_out_the_oldest(
    world: World, loading: Runner, most: int, most_bytes: int, left: str
) -> None:
    for name in "abc":
        bring(loading, traced(name.encode()), pipeline=name)
        world.advance(seconds=1)
    with world.database.write() as tx:
        tx.execute(stored.table.update().values(size_bytes=100))
        place = (world.workspace.id, "prod")
        dropped = stored.drop_beyond(tx, *place, most, most_bytes, world.clock.now())
        assert "".join(item.pipeline for item in stored.of_profile(tx, *place)) == left
    assert (len(dropped), strays(world)) == (3 - len(left), 3 - len(left))


REFUSED = {
    "no archive": b"not a tar",
    "nothing in it": archive({}),
    "a file of another name": archive({"load/package.json": b""}),
    "a way out": archive({"../state.json": b""}),
    "a way out of schemas": archive({"schemas/..": b""}),
    "a folder too deep": archive({"schemas/a/b": b""}),
    "cut off": traced(b"x" * 5000)[:-20],
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_an_archive_that_no_runner_makes_is_refused(world: World, loading: Runner, content: bytes) -> None:
    with pytest.raises(BadRequest):
        bring(loading, content)
    assert (objects(world), strays(world)) == ([], 0)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_an_archive_with_anything_but_files_is_refused(loading: Runner, kind: bytes) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        member = tarfile.TarInfo("state.json")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(BadRequest):
        bring(loading, data.getvalue())


@pytest.mark.parametrize(
    "files",
    [{"trace.pickle": bytes(65 * 2**20)}, {f"schemas/{number}": b"" for number in range(1001)}],
    ids=["bytes", "files"],
)
def test_an_archive_that_is_too_large_unpacked_is_refused(loading: Runner, files: Mapping[str, bytes]) -> None:
    with pytest.raises(TooLarge):
        bring(loading, archive(files))


@pytest.mark.parametrize("name", [".", "..", "a/b", "a\\b", "a\nb", "ü" * 128])
def test_a_name_that_is_no_folders_is_refused(loading: Runner, name: str) -> None:
    with pytest.raises(BadRequest):
        bring(loading, traced(b"1"), pipeline=name)
