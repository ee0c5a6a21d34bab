"""Codes on the way to a login: device codes that a person confirms elsewhere, and authorization codes that come
back through a browser. Only hashes are kept, and each is good for one login."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, changed, columns_of, metadata, one_or_none

table = sa.Table(
    "device_codes",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("user_code_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id")),
    sa.Column("client", sa.String(200), nullable=False),
    sa.Column("address", sa.String(64)),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("asked_at", Moment),
    sa.CheckConstraint("state IN ('pending', 'approved', 'rejected', 'redeemed')", name="state"),
    sa.Index("ix_device_codes_expires_at", "expires_at"),
)

authorizations = sa.Table(
    "authorization_codes",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("code_challenge", sa.String(43), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
)


@dataclass(frozen=True)
class DeviceCode:
    """A terminal that waits for a person to confirm it."""

    hash: str
    state: str
    """pending; then approved or rejected by a person; redeemed once the terminal has its tokens."""
    user_id: UUID | None
    """Who approved it."""
    client: str
    """What the terminal says it is."""
    address: str | None
    """Where it asked from."""
    created_at: datetime
    expires_at: datetime
    asked_at: datetime | None
    """When the terminal asked last."""


@dataclass(frozen=True)
class AuthorizationCode:
    hash: str
    user_id: UUID
    code_challenge: str
    expires_at: datetime
    used_at: datetime | None


_columns = columns_of(DeviceCode, table)
_authorization_columns = columns_of(AuthorizationCode, authorizations)


def add(tx: Tx, code: DeviceCode, user_code_hash: str) -> None:
    tx.execute(table.insert().values({**code.__dict__, "user_code_hash": user_code_hash}))


def get(tx: Tx, hash_: str) -> DeviceCode | None:
    return one_or_none(tx, DeviceCode, sa.select(*_columns).where(table.c.hash == hash_))


def by_user_code(tx: Tx, user_code_hash: str) -> DeviceCode | None:
    return one_or_none(tx, DeviceCode, sa.select(*_columns).where(table.c.user_code_hash == user_code_hash))


def asked(tx: Tx, hash_: str, now: datetime) -> None:
    tx.execute(table.update().where(table.c.hash == hash_).values(asked_at=now))


def decide(tx: Tx, hash_: str, state: str, user_id: UUID) -> bool:
    """Whether the code still waited for an answer."""
    waits = sa.and_(table.c.hash == hash_, table.c.state == "pending")
    return changed(tx, table.update().where(waits).values(state=state, user_id=user_id))


def redeem(tx: Tx, hash_: str) -> bool:
    """Whether the approved code was not redeemed yet: of two who try, one gets the tokens."""
    is_approved = sa.and_(table.c.hash == hash_, table.c.state == "approved")
    return changed(tx, table.update().where(is_approved).values(state="redeemed"))


def add_authorization(tx: Tx, code: AuthorizationCode, now: datetime) -> None:
    tx.execute(authorizations.insert().values(**code.__dict__, created_at=now))


def get_authorization(tx: Tx, hash_: str) -> AuthorizationCode | None:
    query = sa.select(*_authorization_columns).where(authorizations.c.hash == hash_)
    return one_or_none(tx, AuthorizationCode, query)


def use_up_authorization(tx: Tx, hash_: str, now: datetime) -> bool:
    is_unused = sa.and_(authorizations.c.hash == hash_, authorizations.c.used_at.is_(None))
    return changed(tx, authorizations.update().where(is_unused).values(used_at=now))


def delete_expired(tx: Tx, before: datetime) -> None:
    tx.execute(table.delete().where(table.c.expires_at < before))
    tx.execute(authorizations.delete().where(authorizations.c.expires_at < before))
