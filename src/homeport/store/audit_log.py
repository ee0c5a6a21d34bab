"""Who did what to what, from where, when. Rows are only added, each with a hash over itself and the row before.

A row that is altered, removed or put in between breaks the chain of its organization; the head, kept apart, shows
that rows are missing at the end. `append` belongs at the end of a transaction: others wait for it from there on.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.store import dialects, organizations
from homeport.store.schema import Json, Moment, Tx, all_of, columns_of, count_up_to, metadata

table = sa.Table(
    "audit_log",
    metadata,
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("actor", sa.String(320), nullable=False),
    sa.Column("via", sa.String(20), nullable=False),
    sa.Column("address", sa.String(64)),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("target", sa.String(400), nullable=False),
    sa.Column("workspace_id", sa.Uuid),
    sa.Column("detail", Json, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

_FIRST_HASH = "0" * 64
_TARGET_CHARS = 400


@dataclass(frozen=True)
class Entry:
    """What somebody did."""

    organization_id: UUID
    at: datetime
    actor_id: UUID | None
    """The user; none when a command on the server did it."""
    actor: str
    """Their e-mail as it was then."""
    via: str
    """What they were let in by."""
    address: str | None
    action: str
    target: str
    workspace_id: UUID | None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row(Entry):
    """An entry in its place in the chain."""

    number: int = 0
    previous_hash: str = _FIRST_HASH
    hash: str = ""


_columns = columns_of(Row, table)
_entry_fields = tuple(column.name for column in columns_of(Entry, table))


def append(tx: Tx, entry: Entry) -> None:
    """Add an entry to its organization's chain."""
    values = {**asdict(entry), "target": entry.target[:_TARGET_CHARS]}
    # not the head itself: before the first entry there is none to wait for
    organizations.lock(tx, entry.organization_id)
    query = sa.select(heads.c.number, heads.c.hash).where(heads.c.organization_id == entry.organization_id)
    head = tx.execute(query).one_or_none()
    number, previous = (0, _FIRST_HASH) if head is None else (head.number, head.hash)
    hash_ = _hash(values, number + 1, previous)
    tx.execute(table.insert().values(**values, number=number + 1, previous_hash=previous, hash=hash_))
    if head is None:
        tx.execute(heads.insert().values(organization_id=entry.organization_id, number=1, hash=hash_))
    else:
        is_it = heads.c.organization_id == entry.organization_id
        tx.execute(heads.update().where(is_it).values(number=number + 1, hash=hash_))


def page(tx: Tx, organization_id: UUID, *, limit: int, offset: int, cap: int) -> tuple[list[Row], int]:
    """Entries, newest first, and how many there are up to `cap`."""
    query = sa.select(*_columns).where(table.c.organization_id == organization_id)
    found = all_of(tx, Row, query.order_by(table.c.number.desc()).limit(limit).offset(offset))
    return found, count_up_to(tx, query, cap)


def faults(tx: Tx) -> Iterator[str]:
    """What is wrong with the chains; nothing, if nobody touched them."""
    dialects.take_all_the_time(tx)  # a long chain takes a while to reckon
    known = {row.organization_id: row for row in tx.execute(sa.select(heads))}
    for organization_id in known.keys() | set(tx.execute(sa.select(table.c.organization_id).distinct()).scalars()):
        head = known.get(organization_id)
        yield from _faults_of(tx, organization_id, *((head.number, head.hash) if head else (0, _FIRST_HASH)))


def _faults_of(tx: Tx, organization_id: UUID, last_number: int, last_hash: str) -> Iterator[str]:
    number, previous = 0, _FIRST_HASH
    query = sa.select(*_columns).where(table.c.organization_id == organization_id).order_by(table.c.number)
    for row in tx.execute(query):
        if row.number != number + 1:
            yield f"organization {organization_id}: entries {number + 1} to {row.number - 1} are missing"
        elif row.previous_hash != previous:
            yield f"organization {organization_id}: entry {row.number} does not follow the one before it"
        values = {name: row._mapping[name] for name in _entry_fields}
        if row.hash != _hash(values, row.number, row.previous_hash):
            yield f"organization {organization_id}: entry {row.number} was altered"
        number, previous = row.number, row.hash
    if number < last_number:
        yield f"organization {organization_id}: entries {number + 1} to {last_number} are missing at the end"
    elif (number, previous) != (last_number, last_hash):
        yield f"organization {organization_id}: the end of the log is not the one that was recorded"


def _hash(values: dict[str, Any], number: int, previous: str) -> str:
    """Over the row's values in one fixed form, and the hash before."""
    document = {**values, "at": values["at"].isoformat(), "number": number, "previous_hash": previous}
    text = json.dumps(document, sort_keys=True, default=str, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
