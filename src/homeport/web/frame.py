"""What every page has around its subject."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Crumb:
    """One step of the way from the list of workspaces to where one is."""

    text: str
    url: str


@dataclass(frozen=True)
class Frame:
    title: str
    """Of the browser's tab."""
    now: datetime
    """The server's clock, by which browsers count."""
    person: str | None = None
    """Who is signed in."""
    crumbs: tuple[Crumb, ...] = ()
