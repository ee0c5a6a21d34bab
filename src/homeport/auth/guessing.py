"""Guessing does not pay: failed tries are counted per account and per address (brute force, leaked lists).

1. write the try down, refuse it when there were too many
2. examine it, outside of any transaction: a password takes time
3. take it back when it was right
"""

import hashlib
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


def begin(tx: Tx, account: str, address: str | None, now: datetime) -> Try:
    """Write a try down. `TooManyTries` says when the next one is welcome; it is raised before anything is looked
    up, so it tells nothing about the account."""
    trying = Try("account:" + hashlib.sha256(account.encode()).hexdigest(), _subject(address), now)
    for subject, limit in _limits(trying):
        oldest = failed_tries.nth_latest(tx, subject, limit, now - WINDOW)
        if oldest is not None:
            minutes = max(1, -(-int((oldest + WINDOW - now).total_seconds()) // 60))
            what = "this account" if subject == trying.account else "your address"
            raise TooManyTries(
                f"Too many failed tries for {what}. Wait {minutes} min and try again; a link from "
                "`homeport user link` on the server works at once."
            )
    failed_tries.add(tx, [subject for subject, _ in _limits(trying)], now)
    return trying


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
    if failed_tries.nth_latest(tx, subject, PER_ADDRESS, now - WINDOW) is not None:
        raise TooManyTries("Too many failed tries from your address; wait some minutes and try again.")
    failed_tries.add(tx, [subject], now)
