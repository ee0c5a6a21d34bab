"""Failed tries to get in, counted per account and per address, so that guessing does not pay.

A try is written down before it is examined: of many that come at once, each sees the ones before it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, metadata

table = sa.Table(
    "failed_tries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_failed_tries_subject", "subject", "at"),
)


def add(tx: Tx, subjects: Sequence[str], now: datetime) -> None:
    tx.execute(table.insert(), [{"id": uuid4(), "subject": subject, "at": now} for subject in subjects])


def nth_latest(tx: Tx, subject: str, number: int, since: datetime) -> datetime | None:
    """When the `number`-th latest try of a subject was; none when there were fewer since a moment."""
    query = (
        sa.select(table.c.at)
        .where(table.c.subject == subject, table.c.at > since)
        .order_by(table.c.at.desc())
        .offset(number - 1)
        .limit(1)
    )
    return tx.execute(query).scalar_one_or_none()


def forgive(tx: Tx, subject: str) -> None:
    """Somebody got in: their earlier tries do not count any more."""
    tx.execute(table.delete().where(table.c.subject == subject))


def take_back(tx: Tx, subject: str, at: datetime) -> None:
    """A try that turned out well is no failed one."""
    tx.execute(table.delete().where(table.c.subject == subject, table.c.at == at))


def delete_before(tx: Tx, before: datetime) -> None:
    tx.execute(table.delete().where(table.c.at < before))
