"""The log of a run that is over goes to the object storage, and nobody who reads it notices."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from homeport.dispatch.log_keeping import KeepLogs
from homeport.dispatch.service import AT_ONCE
from homeport.errors import Unavailable
from homeport.logs import reading, storing
from homeport.logs.retention import Rules
from homeport.operations import page_queries
from homeport.store import attempts, log_chunks, log_objects
from homeport.store.blobs import Blobs

from ..builders import at_once, definition
from ..world import Runner, World

Line = tuple[int, str]


def keeper(world: World, days: float | None = None, total_bytes: int | None = None) -> KeepLogs:
    return KeepLogs(world.database, world.platform.blobs, Rules(days, total_bytes))


def keep(world: World, **rules: float) -> None:
    """All that a server does about logs, until there is nothing to do."""
    at_work = keeper(world, **rules)  # type: ignore[arg-type]
    while at_work.work(world.clock.now()) == AT_ONCE:
        pass


def finished(world: World, name: str = "a", batches: int = 3, size: int = 40) -> Runner:
    """A run that said some lines and is over."""
    runner = world.running(name)
    for batch in range(batches):
        runner.say(batch * size, *(f"{name} line {batch * size + n}" for n in range(size)))
    runner.exit(0, lines=batches * size)
    return runner


@pytest.fixture
def shop(world: World) -> World:
    world.deploy(definition("a"), definition("b"))
    return world


def piece(world: World, runner: Runner, from_line: int) -> reading.Piece:
    return reading.read(world.database, world.platform.blobs, runner.run_id, from_line)


def log_of(world: World, runner: Runner, from_line: int = 0) -> list[Line]:
    found: list[Line] = []
    while not (read := piece(world, runner, from_line)).is_last:
        found += [(line.line_num, line.content) for line in read.lines]
        from_line = read.next_line
    return found


def rows_in_database(world: World) -> int:
    with world.database.read() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(log_chunks.table)).scalar_one())


def objects(world: World) -> list[Path]:
    folder = world.platform.settings.data_dir / "storage" / "workspaces" / str(world.workspace.id) / "logs"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_stored_log_reads_the_same_from_every_line(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "FRAME_BYTES", 1500)
    runner = finished(shop)
    before = [piece(shop, runner, number).lines[0] for number in range(120)]
    keep(shop)
    assert rows_in_database(shop) == 0
    assert len(objects(shop)) == 1
    assert [piece(shop, runner, number).lines[0] for number in range(120)] == before
    assert log_of(shop, runner) == [(number, f"a line {number}") for number in range(120)]
    with shop.database.read() as tx:
        kept = log_objects.get(tx, runner.attempt_id)
    assert kept is not None
    assert len(kept.frames) > 1


def test_a_run_that_is_going_on_keeps_its_lines_in_the_database(shop: World) -> None:
    going_on = shop.running("a")
    going_on.say(0, "hello")
    finished(shop, "b")
    keep(shop)
    assert rows_in_database(shop) == 1
    assert len(objects(shop)) == 1
    assert piece(shop, going_on, 0).lines[0].content == "hello"


def test_readers_in_the_middle_go_on_without_gap_or_double(shop: World) -> None:
    runner = finished(shop)
    read = log_of(shop, runner)[:50]
    keep(shop)
    assert read + log_of(shop, runner, from_line=50) == [(n, f"a line {n}") for n in range(120)]


def test_all_attempts_of_a_run_are_stored(shop: World) -> None:
    runner = shop.running("a")
    runner.say(0, "first", "attempt")
    with shop.database.write() as tx:
        attempts.end(tx, runner.run_id, shop.clock.now())
        attempts.submit(tx, runner.run_id, 2, "ticket", shop.clock.now())
    keep(shop)
    assert rows_in_database(shop) == 1, "the run is not over"
    shop.cancel(runner.run_id)
    with shop.database.read() as tx:
        latest = attempts.of_run(tx, runner.run_id)[-1]
    shop.advance(seconds=600)
    shop.look()
    shop.engine.vanish(latest.id)
    for _ in range(400):
        shop.advance(seconds=2)
        shop.look()
    assert shop.run(runner.run_id).is_over
    whole = log_of(shop, runner)
    assert [content for _, content in whole][:2] == ["first", "attempt"]
    keep(shop)
    assert rows_in_database(shop) == 0
    assert log_of(shop, runner) == whole


def test_a_server_that_died_after_the_upload_does_it_again_and_leaves_nothing_behind(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = finished(shop)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(log_objects, "add", die)
        with pytest.raises(SystemExit):
            keep(shop)
    assert rows_in_database(shop) == 3
    assert len(objects(shop)) == 1
    keep(shop)
    assert rows_in_database(shop) == 0
    assert len(objects(shop)) == 1
    assert len(log_of(shop, runner)) == 120


def test_servers_that_do_it_at_once_store_it_once(shop: World) -> None:
    runners = [finished(shop), finished(shop, "b")]
    at_once(4, lambda _number: keep(shop))
    assert rows_in_database(shop) == 0
    assert len(objects(shop)) == 2
    assert [len(log_of(shop, runner)) for runner in runners] == [120, 120]


def test_of_two_that_compress_differently_the_first_wins(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = finished(shop)
    found = storing.next_to_store(shop.database, "")
    assert found is not None
    put = Blobs.put_log

    def slow(blobs: Blobs, path: str, file: Path) -> None:
        put(blobs, path, file)
        with monkeypatch.context() as patched:
            patched.setattr(Blobs, "put_log", put)
            patched.setattr(storing, "_LEVEL", 0)
            assert storing.store(shop.database, blobs, *found, shop.clock.now())

    monkeypatch.setattr(Blobs, "put_log", slow)
    assert not storing.store(shop.database, shop.platform.blobs, *found, shop.clock.now())
    assert len(objects(shop)) == 1
    assert len(log_of(shop, runner)) == 120


def test_a_log_that_cannot_be_stored_stays_readable_and_holds_up_no_other(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runners = [finished(shop), finished(shop, "b")]
    put = Blobs.put_log

    def refuses(blobs: Blobs, path: str, file: Path) -> None:
        if runners[0].attempt_id in path:
            raise Unavailable("The storage is full.")
        put(blobs, path, file)

    monkeypatch.setattr(Blobs, "put_log", refuses)
    at_work = keeper(shop)
    while at_work.work(shop.clock.now()) == AT_ONCE:
        pass
    assert rows_in_database(shop) == 3
    assert [len(log_of(shop, runner)) for runner in runners] == [120, 120]
    monkeypatch.setattr(Blobs, "put_log", put)
    shop.advance(minutes=6)
    while at_work.work(shop.clock.now()) == AT_ONCE:
        pass
    assert rows_in_database(shop) == 0


def test_old_logs_are_removed_and_say_so(shop: World) -> None:
    old = finished(shop)
    shop.advance(days=2)
    young = finished(shop, "b")
    going_on = shop.running("a")
    going_on.say(0, "hello")
    shop.advance(days=29)
    keep(shop, days=30)
    [(number, words)] = log_of(shop, old)
    assert number == 0
    assert "120 lines was removed on 2026-04-02" in words
    assert "older than 30 days (HOMEPORT_LOG_RETENTION_DAYS)" in words
    assert len(log_of(shop, young)) == 120
    assert piece(shop, going_on, 0).lines[0].content == "hello"
    assert len(objects(shop)) == 1
    assert shop.run(old.run_id).is_over


def test_when_logs_take_too_much_the_oldest_go(shop: World) -> None:
    runners = []
    for _ in range(3):
        runners.append(finished(shop))
        shop.advance(minutes=1)
    keep(shop)
    size = objects(shop)[0].stat().st_size
    keep(shop, total_bytes=round(size * 2.5))
    assert [len(log_of(shop, runner)) for runner in runners] == [1, 120, 120]
    assert "HOMEPORT_LOG_RETENTION_BYTES" in log_of(shop, runners[0])[0][1]


def test_a_removal_that_was_cut_short_is_finished(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = finished(shop)
    keep(shop)
    shop.advance(days=31)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Blobs, "delete_log", die)
        with pytest.raises(SystemExit):
            keep(shop, days=30)
    assert len(log_of(shop, runner)) == 1
    keep(shop, days=30)
    assert objects(shop) == []


def test_a_reader_is_told_when_the_log_goes_while_it_reads(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = finished(shop)
    keep(shop)
    get = Blobs.get_log

    def too_late(blobs: Blobs, *where: object) -> bytes:
        shop.advance(days=31)
        keep(shop, days=30)
        return get(blobs, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(Blobs, "get_log", too_late)
    [(number, words)] = log_of(shop, runner, from_line=50)
    assert number == 50
    assert "was removed" in words


@pytest.mark.parametrize(
    "do", [lambda _: None, keep, lambda world: (world.advance(days=31), keep(world, days=30))]
)
def test_pages_show_it_to_its_end(shop: World, do: Callable[[World], object]) -> None:
    runner = finished(shop)
    do(shop)
    found: list[int] = []
    from_line = 0
    while lines := page_queries.log_lines(shop.platform, runner.run_id, from_line, 50)[0]:
        found += [line.line_num for line in lines]
        from_line = page_queries.log_lines(shop.platform, runner.run_id, from_line, 50)[1]
    assert found in (list(range(120)), [0])
