"""Make an installation of a backup.

1. see that nothing is there that would be lost
2. unpack into `restoring` in the data folder; whatever is refused here, or damaged, nothing has changed
3. a database of SQLite is migrated and settled there
4. objects, files and the key are put in place
5. last comes the database: that of SQLite takes its name; that of PostgreSQL comes back in one transaction, is
   migrated and settled, and its copy goes from `restoring`

While there is something in `restoring`, no server starts (`data_folder.check_whole`). Killed before step 4, the
next call begins anew; after that, it says what has to go first.
"""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from homeport import data_folder
from homeport.auth import master_keys
from homeport.auth.master_keys import MasterKey
from homeport.clock import Clock
from homeport.config import Settings
from homeport.data_folder import RESTORING
from homeport.errors import BackupError
from homeport.operations import backup_archives, settling
from homeport.operations.backup import KEPT_FILES
from homeport.operations.backup_archives import DATABASE, FORMAT, KEY, STORAGE, WORKSPACES, About, Listing
from homeport.operations.settling import Settled
from homeport.store import snapshots
from homeport.store.blobs import Objects
from homeport.store.database import Database, revisions
from homeport.store.snapshots import Tell


@dataclass(frozen=True)
class Restored:
    about: About
    listing: Listing
    settled: Settled
    key_path: Path | None
    """Where the master key was put; none if it was there, or nothing needs it."""


def check(path: Path) -> tuple[About, Listing]:
    """Read all of a backup; `BackupError` unless it is as it was written and could be restored by this version."""
    return backup_archives.unpack(path, None, _check_version)


@dataclass(frozen=True)
class Restoring:
    """How a backup is restored."""

    settings: Settings
    clock: Clock
    key: Path | None = None
    """A file with the master key, for where there is none yet."""
    is_paused: bool = False
    """Nothing starts by itself afterwards."""
    tell: Tell = lambda doing: None
    """Hears what is being done."""

    def of(self, path: Path) -> Restored:
        """`BackupError` when it cannot be; then nothing was changed, unless it says so."""
        data_dir, staged = self.settings.data_dir, self.settings.data_dir / RESTORING
        is_new = not data_dir.exists()
        with ExitStack() as closing:
            data_folder.lock(data_dir, closing, "Stop that one first, or name another --data-dir.")
            undo = closing.enter_context(ExitStack())
            if is_new:
                undo.callback(shutil.rmtree, data_dir, ignore_errors=True)
            self._check_is_free(staged)
            undo.callback(shutil.rmtree, staged, ignore_errors=True)
            about, listing, key = self._unpack(path, staged)
            settled = self._settled(staged, about, listing) if about.database == "sqlite" else None
            undo.pop_all()  # from here on there is no way back, only forward
            key_path = self._put_in_place(staged, key)
            if settled is None:
                settled = self._bring_back(staged, about, listing)
            else:
                self._name_database(staged)
            shutil.rmtree(staged)
        return Restored(about, listing, settled, key_path)

    def _check_is_free(self, staged: Path) -> None:
        url, kept = self.settings.effective_database_url, self.settings.data_dir / KEPT_FILES
        there = [] if snapshots.is_empty(url) else [f"the database {snapshots.shown(url)}"]
        if kept.is_dir() and any(kept.iterdir()):
            there.append(str(kept.resolve()))
        if not there:
            return
        if staged.exists() and any(staged.iterdir()):
            raise BackupError(
                "An earlier restore was cut short while it put things in place. Nothing has used them yet: empty "
                f"what is named here, remove {staged.resolve()}, and restore again.",
                reasons=there,
            )
        raise BackupError(
            "There is an installation where the backup would go, and a restore never writes over one. Name "
            "another --data-dir or --database-url, or move this away:",
            reasons=there,
        )

    def _unpack(self, path: Path, staged: Path) -> tuple[About, Listing, MasterKey | None]:
        shutil.rmtree(staged, ignore_errors=True)  # of a restore that was cut short before it had changed anything
        staged.mkdir(mode=0o700)
        self.tell("reading and checking the backup")
        keys: list[MasterKey | None] = []
        about, listing = backup_archives.unpack(path, staged, lambda about: keys.append(self._look(about)))
        if about.has_key and keys[0] is None and self._key_in_force() is None:
            keys[0] = master_keys.read(staged / KEY)
        return about, listing, keys[0]

    def _look(self, about: About) -> MasterKey | None:
        """Refuses what cannot be restored here; the answer is the given key, if it is to be put in place."""
        _check_version(about)
        kind = snapshots.kind_of(self.settings.effective_database_url)
        if kind != about.database:
            way_out = "name one with --database-url" if kind == "sqlite" else "leave --database-url out"
            raise BackupError(
                f"The backup is of a database in {about.database}, which cannot be restored to {kind}: {way_out}."
            )
        if kind == "postgresql":
            snapshots.check_can_bring_back(about.made_by)
        return self._fitting_key(about)

    def _fitting_key(self, about: About) -> MasterKey | None:
        in_force, folder = self._key_in_force(), self._keys
        given = master_keys.read(self.key) if self.key is not None and in_force is None else None
        for needed in about.master_keys:
            if in_force is not None and in_force.by_id(needed) is None:
                where = master_keys.source_of(folder, self.settings.master_key_command).name
                raise _wrong_key(where, in_force.current, needed)
            if given is not None and given.id != needed:
                raise _wrong_key(str(self.key), given, needed)
            if in_force is None and given is None and not about.has_key:
                raise BackupError(
                    f"The backup needs the master key with the fingerprint {needed}, and does not hold it. Pass "
                    f"its file with --key, put it at {folder.resolve() / 'master.key'}, or set "
                    f"{master_keys.VARIABLE}. Nothing was changed."
                )
        return given

    @property
    def _keys(self) -> Path:
        return self.settings.data_dir / "keys"

    def _key_in_force(self) -> master_keys.MasterKeys | None:
        return master_keys.in_force(self._keys, self.settings.master_key_command)

    def _settled(self, staged: Path, about: About, listing: Listing) -> Settled:
        self.tell("bringing the database up to date")
        if about.database == "sqlite":
            url = f"sqlite:///{(staged / DATABASE).resolve()}"
        else:
            url = self.settings.effective_database_url
        database = Database(url)
        try:
            database.migrate()
            return settling.settle(
                database,
                about.made_at,
                listing,
                self.clock.now(),
                is_paused=self.is_paused,
                follow_ups_per_minute=self.settings.follow_ups_per_minute,
            )
        finally:
            database.close()

    def _put_in_place(self, staged: Path, key: MasterKey | None) -> Path | None:
        """Everything but the database; where the key went, if it was put anywhere."""
        self.tell("storage")
        objects = Objects(self.settings.effective_storage_url)
        for file in (staged / STORAGE).rglob("*"):
            if file.is_file():
                objects.put(file.relative_to(staged / STORAGE).as_posix(), file)
                file.unlink()
        self.tell("workspaces")
        kept = self.settings.data_dir / KEPT_FILES
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (staged / WORKSPACES).glob("*"):
            shutil.move(folder, kept / folder.name)
        return None if key is None else master_keys.put(self._keys, key)

    def _bring_back(self, staged: Path, about: About, listing: Listing) -> Settled:
        self.tell("database")
        snapshots.bring_back(self.settings.effective_database_url, about.made_by, staged / DATABASE)
        return self._settled(staged, about, listing)

    def _name_database(self, staged: Path) -> None:
        for left in staged.iterdir():
            if left.name != DATABASE:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        target = snapshots.sqlite_path(self.settings.effective_database_url)
        target.parent.mkdir(parents=True, exist_ok=True)
        # beside its final place first, which may be on another file system: there it is whole, or not there at all
        beside = target.with_name(f".{target.name}.restoring")
        shutil.move(staged / DATABASE, beside)
        beside.replace(target)


def _check_version(about: About) -> None:
    if about.format > FORMAT or about.revision not in revisions():
        raise BackupError(
            f"The backup was made by Homeport {about.homeport}, which is newer than this one: its database has "
            f"the schema {about.revision}. Restore it with that version, or a later one. Nothing was changed."
        )


def _wrong_key(where: str, key: MasterKey, needed: str) -> BackupError:
    return BackupError(
        f"The master key in {where} has the fingerprint {key.id}, but the backup needs the one with {needed}. "
        "Nothing was changed."
    )
