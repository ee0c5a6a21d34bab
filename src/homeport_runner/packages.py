"""Fetches the packages of an attempt and lays out the workspace the run will see."""

from __future__ import annotations

import hashlib
from pathlib import Path

from homeport_runner import clocks
from homeport_runner.launch import Launch
from homeport_runner.orders import Orders
from homeport_runner.phone import Backoff, Phone, Refused, Unreachable
from homeport_runner.setup_failed import SetupFailed
from homeport_runner.unpack import BadPackage, unpack

_SETTINGS = ".dlt"


def lay_out_workspace(phone: Phone, launch: Launch, folder: Path, root: Path, orders: Orders) -> None:
    """Code into `root`, configuration into `root/.dlt`, and the mark that makes dlt take it for a workspace.

    Without `.dlt/.workspace`, which is in neither package, dlt reads no profile and puts data elsewhere.
    A pinned profile (`.dlt/profile-name`) does not belong here: the run's profile is the server's word.
    """
    root.mkdir(parents=True)
    _fetch_and_unpack(phone, "code", launch.code_sha256, folder, root, None, orders)
    settings = root / _SETTINGS
    if settings.is_symlink() or (settings.exists() and not settings.is_dir()):
        raise SetupFailed(f"the code package cannot be used: {_SETTINGS} is not a folder")
    settings.mkdir(mode=0o700, exist_ok=True)
    if launch.configuration_sha256 is not None:
        # Secrets: for the owner's eyes only, whatever mode they had on the machine they come from.
        _fetch_and_unpack(phone, "configuration", launch.configuration_sha256, folder, settings, 0o600, orders)
    (settings / ".workspace").touch(mode=0o600)
    pin = settings / "profile-name"
    if pin.is_symlink() or pin.is_file():
        pin.unlink()


def carry_state(root: Path, carried: Path) -> None:
    """Have dlt keep its pipelines' working state where the next attempt finds it.

    Load packages that an attempt extracted are then loaded by the next one, not extracted again. A link, and not a
    setting of dlt's: a workspace that says itself where its state is has it there.
    """
    state = root / _SETTINGS / "state"
    if not state.is_symlink() and not state.exists():
        state.symlink_to(carried, target_is_directory=True)


def _fetch_and_unpack(
    phone: Phone, name: str, sha256: str, folder: Path, into: Path, file_mode: int | None, orders: Orders
) -> None:
    archive = folder / (name + ".tar.gz")
    _fetch(phone, name, sha256, archive, orders)
    try:
        unpack(archive, into, file_mode=file_mode, on_member=orders.check)
    except BadPackage as error:
        raise SetupFailed(f"the {name} package cannot be used: {error}") from error
    finally:
        archive.unlink()


def _fetch(phone: Phone, name: str, sha256: str, archive: Path, orders: Orders) -> None:
    """Download until it is there; how long that may take is the lease's business."""
    backoff = Backoff()
    while True:
        orders.check()
        digest = hashlib.sha256()
        try:
            with archive.open("wb") as file:

                def take(piece: bytes) -> None:
                    orders.check()
                    digest.update(piece)  # noqa: B023  # called within this turn of the loop
                    file.write(piece)

                phone.download("packages/" + name, take)
        except Unreachable:
            _pause(backoff.delay(), orders)
        except Refused as refusal:
            raise SetupFailed(f"the {name} package could not be had: {refusal}") from refusal
        else:
            break
    if digest.hexdigest() != sha256:
        raise SetupFailed(
            f"the {name} package is not the one that was deployed: "
            f"its SHA-256 is {digest.hexdigest()}, it should be {sha256}"
        )


def _pause(seconds: float, orders: Orders) -> None:
    until = clocks.now() + seconds
    while clocks.now() < until:
        orders.check()
        orders.wait(until - clocks.now())
