"""What every operation works with. Built once, in `server.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeport.auth.encryption import Vault
from homeport.auth.principals import DataplaneTokens
from homeport.auth.providers import Provider
from homeport.bells import Bells
from homeport.clock import Clock
from homeport.config import Settings
from homeport.execution.maskings import Maskings
from homeport.logs.sharing import SharedPieces
from homeport.mail import Mailer
from homeport.operations.app_addresses import AppAddresses
from homeport.store.blobs import Blobs
from homeport.store.database import Database


@dataclass(frozen=True)
class Platform:
    database: Database
    blobs: Blobs
    vault: Vault
    clock: Clock
    bells: Bells
    settings: Settings
    dataplane_tokens: DataplaneTokens
    url: str
    """This server's address for people: links that are given out lead there."""
    runner_url: str
    """This server's address as runners of this machine reach it."""
    apps: AppAddresses
    """Where apps are found."""
    providers: Mapping[str, Provider] = field(default_factory=dict)
    """Who vouches for people, by key."""
    offers_python: Callable[[str], bool] = lambda version: True
    """Whether runs can have a version of Python; see `Engine.offers_python`."""
    mailer: Mailer | None = None
    """None where mail is not set up."""
    maskings: Maskings = field(default_factory=Maskings)
    """What must not be seen of the latest runs."""
    pieces: SharedPieces = field(default_factory=SharedPieces)
    """What the latest readers of logs were given."""
