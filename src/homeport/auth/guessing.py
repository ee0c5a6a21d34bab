"""Guessing does not pay: failed tries are counted per account and per address (brute force, leaked lists).

1. write the try down, refuse it when there were too many
2. examine it, outside of any transaction: a password takes time
3. take it back when it was right
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from homeport.errors import TooManyTries
from homeport.store import failed_tries
from homeport.store.schema import Tx

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 10
PER_ADDRESS = 50
"""More than for an account: an office has one address."""


@dataclass(frozen=True)
class Try:
    account: str
    address: str | None
    at: datetime


def begin(
    tx: Tx, account: str, address: str | None, now: datetime, what: str = "this account", way_out: str = ""
) -> Try:
    """Write a try down. `TooManyTries` says when the next one is welcome; it is raised before anything is looked
    up, so it tells nothing about the account. `what` names the account to people, `way_out` another way in."""
    trying = Try("account:" + hashlib.sha256(account.encode()).hexdigest(), _subject(address), now)
    for subject, limit in _limits(trying):
        whose = what if subject == trying.account else "your address"
        check_share(tx, subject, limit, now, f"Too many failed tries for {whose}.", way_out)
    failed_tries.add(tx, [subject for subject, _ in _limits(trying)], now)
    return trying


def check_share(tx: Tx, subject: str, limit: int, now: datetime, why: str, way_out: str = "") -> None:
    """`TooManyTries`, with when to come again, for a subject that has had its share of tries within the window."""
    oldest = failed_tries.nth_latest(tx, subject, limit, now - WINDOW)
    if oldest is not None:
        seconds = max(1, math.ceil((oldest + WINDOW - now).total_seconds()))
        raise TooManyTries(f"{why} Try again in {-(-seconds // 60)} min{way_out}.", retry_after=seconds)


def was_right(tx: Tx, trying: Try) -> None:
    """The account's tries are forgiven; of the address, only this one: others are tried from there too."""
    failed_tries.forgive(tx, trying.account)
    if trying.address is not None:
        failed_tries.take_back(tx, trying.address, trying.at)


def _limits(trying: Try) -> list[tuple[str, int]]:
    limits = [(trying.account, PER_ACCOUNT)]
    return limits if trying.address is None else [*limits, (trying.address, PER_ADDRESS)]


def _subject(address: str | None) -> str | None:
    return None if address is None else f"address:{address}"[:80]


def count_failure(tx: Tx, address: str | None, now: datetime) -> None:
    """Write down a failed try after it was examined, where being right is always let in: nobody can be kept out by
    the failures of others. `TooManyTries` when the address has had its share; then nothing is written."""
    subject = _subject(address) or "address:unknown"
    check_share(tx, subject, PER_ADDRESS, now, "Too many failed tries from your address.")
    failed_tries.add(tx, [subject], now)
