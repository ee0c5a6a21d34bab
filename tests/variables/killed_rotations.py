"""Rotates the master key of an installation again and again, each time killed one line later, until one is not.

Run as a program with the folder of an installation; after each kill it looks at what is left as a starting server
does, and prints a line of JSON with what it found.
"""

import json
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from homeport.auth import encryption, key_rotation, master_keys
from homeport.store import data_keys, variables
from homeport.store.database import Database

WATCHED = {
    function.__code__
    for function in (
        key_rotation.rotate,
        key_rotation._rewrap_all,
        data_keys.rewrap,
        Database.write.__wrapped__,  # type: ignore[attr-defined] # the generator below its decorator
        master_keys._File.begin_rotation,
        master_keys._File.finish_rotation,
        master_keys._File._write,
        master_keys._sync_folder,
    )
}


def main(pristine: Path) -> None:
    folder = pristine.with_name("copy")
    for line in count(1):
        shutil.copytree(pristine, folder)
        was_killed = rotated_in_a_child(folder, line)
        kept = sorted(path.name for path in (folder / "keys").iterdir())
        after_kill = opened(folder)
        rotate(folder)
        report = {"was_killed": was_killed, "kept": kept, "after_kill": after_kill, "in_the_end": opened(folder)}
        report["left"] = sorted(path.name for path in (folder / "keys").iterdir())
        print(json.dumps(report), flush=True)
        shutil.rmtree(folder)
        if not was_killed:
            return


def rotated_in_a_child(folder: Path, line: int) -> bool:
    pid = os.fork()
    if pid == 0:
        die_before(line)
        rotate(folder)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)


def die_before(line: int) -> None:
    """kill -9 ourselves before the so-manieth line of what is watched."""
    lines = count(1)

    def watch(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code not in WATCHED:
            return None
        if event == "line" and next(lines) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return watch

    sys.settrace(watch)


def rotate(folder: Path) -> None:
    database = Database(f"sqlite:///{folder / 'homeport.db'}")
    key_rotation.rotate(database, master_keys.source_of(folder / "keys", None))
    database.close()


def opened(folder: Path) -> list[str]:
    """What a server reads that starts on what is left."""
    database = Database(f"sqlite:///{folder / 'homeport.db'}")
    vault = encryption.open_vault(database, master_keys.source_of(folder / "keys", None))
    with database.read() as tx:
        # the values are sealed for the workspace's id alone: this program knows nothing of operations
        found = [
            vault.cipher(tx, item.workspace_id).open(item.sealed, str(item.workspace_id)).decode()
            for item in sorted(all_variables(tx), key=lambda item: item.name)
        ]
    database.close()
    return found


def all_variables(tx: Any) -> list[variables.Variable]:
    return [item for key in data_keys.lock_all(tx) for item in variables.of_workspace(tx, key.workspace_id)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
