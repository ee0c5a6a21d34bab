"""`homeport user`: people, directly on the database of an installation.

For administrators at the server's terminal; the server may go on running. Whoever can read the data folder (or the
database) owns the installation anyway, so no credential is asked for: this is the way back in when all are lost.
"""

import getpass
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from homeport.errors import BadRequest, SetupError

if TYPE_CHECKING:
    from homeport.operations.platform import Platform

user = typer.Typer(
    name="user",
    add_completion=False,
    no_args_is_help=True,
    help="Add people, set passwords, let somebody back in. On the server's machine.",
)

Email = Annotated[str, typer.Argument(help="E-mail of the person.")]
DataDir = Annotated[Path | None, typer.Option(help="The server's data folder (default: ./homeport-data).")]
DatabaseUrl = Annotated[str | None, typer.Option(help="The server's database, if it is not in the data folder.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

_out = Console(highlight=False, soft_wrap=True)


@user.command()
def add(
    email: Email,
    name: Annotated[str | None, typer.Option(help="Name, as others see it.")] = None,
    role: Annotated[str, typer.Option(help="owner, member or collaborator of the organization.")] = "member",
    password_stdin: FromStdin = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a person, with a password that is typed, read or made up and shown."""
    from homeport.operations import accounts

    if role not in ("owner", "member", "collaborator"):
        raise BadRequest(f"{role} is no role: use owner, member or collaborator.")
    with open_platform(data_dir, database_url) as platform:
        password, is_made_up = _new_password(password_stdin)
        added = accounts.add_user(platform, email, name, role, password)
        _out.print(f"{added.email} is a {role} now.", markup=False)
        if is_made_up:
            _out.print(f"Password, shown once: {password}", markup=False)


@user.command()
def passwd(
    email: Email,
    password_stdin: FromStdin = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Set somebody's password; their browsers and command lines are signed out. Keys stay."""
    from homeport.operations import accounts

    with open_platform(data_dir, database_url) as platform:
        password, is_made_up = _new_password(password_stdin)
        accounts.set_password(platform, email, password)
        _out.print(f"The password of {email} is set.", markup=False)
        if is_made_up:
            _out.print(f"Password, shown once: {password}", markup=False)


@user.command(name="list")
def list_(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Everybody, and whether they have a password."""
    from homeport.operations import accounts

    with open_platform(data_dir, database_url) as platform:
        for person, has_password in accounts.list_users(platform):
            _out.print(f"{person.email}  {person.name or ''}  {'password' if has_password else 'no password'}")


@user.command()
def link(email: Email, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Print the path of a link that signs somebody in once, within a day."""
    from homeport.operations import accounts

    with open_platform(data_dir, database_url) as platform:
        _out.print(f"{platform.url}/sign-in?code={accounts.sign_in_code(platform, email)}", markup=False)


@user.command()
def rotate_signing_key(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Sign access tokens with a new key. Nobody is logged out: tokens of the old one are good until they end."""
    from homeport.operations import accounts

    with open_platform(data_dir, database_url) as platform:
        _out.print(f"Tokens are signed with the key {accounts.rotate_signing_key(platform)} now.", markup=False)


def _new_password(from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether we made it up."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n"), False
    if not sys.stdin.isatty():
        return secrets.token_urlsafe(15), True
    typed = getpass.getpass("Password (empty: make one up): ")
    if not typed:
        return secrets.token_urlsafe(15), True
    if getpass.getpass("Once more: ") != typed:
        raise BadRequest("These were two different passwords; nothing was changed.")
    return typed, False


@contextmanager
def open_platform(data_dir: Path | None, database_url: str | None) -> "Iterator[Platform]":
    """The installation in a data folder. It is not locked: a server may be using it."""
    try:
        from homeport.auth import encryption, master_keys
        from homeport.auth import secrets as derived
        from homeport.auth.encryption import ArchiveSealing
        from homeport.auth.principals import DataplaneTokens
        from homeport.bells import Bells
        from homeport.clock import SystemClock
        from homeport.config import load_settings
        from homeport.operations.app_addresses import addresses_of
        from homeport.operations.platform import Platform
        from homeport.store.blobs import Blobs
        from homeport.store.database import Database
        from homeport.telemetry import log_format
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("homeport"):
            raise
        raise SetupError(
            f"The server's parts are not installed ({error.name} is missing): pip install 'homeport[server]'."
        ) from error
    settings, clock = load_settings(data_dir=data_dir, database_url=database_url), SystemClock()
    log_format.configure("auto")
    if settings.database_url is None and not (settings.data_dir / "homeport.db").exists():
        raise SetupError(
            f"There is no installation in {settings.data_dir}. Name the server's folder with --data-dir, or its "
            "database with --database-url."
        )
    database = Database(settings.effective_database_url)
    try:
        database.migrate()
        source = master_keys.source_of(settings.data_dir / "keys", settings.master_key_command)
        vault = encryption.open_vault(database, source)
        url = (settings.public_url or f"http://localhost:{settings.port}").rstrip("/")
        yield Platform(
            database=database,
            blobs=Blobs(settings.effective_storage_url, ArchiveSealing(database, vault, clock)),
            vault=vault,
            clock=clock,
            bells=Bells(),
            settings=settings,
            dataplane_tokens=DataplaneTokens(derived.derive(vault.master_key, "dataplane tokens")),
            url=url,
            runner_url="",
            apps=addresses_of(settings, url),
        )
    finally:
        database.close()
