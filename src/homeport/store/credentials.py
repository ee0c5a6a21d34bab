"""What somebody holds to be let in: API keys, browser sessions, one-use sign-in codes.

Only hashes are kept (SHA-256; the values have 160 random bits or more, so a slow hash adds nothing).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store import people
from homeport.store.schema import Moment, Tx, all_of, changed, columns_of, metadata, one_or_none

Kind = Literal["api_key", "browser_session", "sign_in_code"]

table = sa.Table(
    "credentials",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("used_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Column("parent_id", sa.Uuid),
    sa.CheckConstraint("kind IN ('api_key', 'browser_session', 'sign_in_code')", name="kind"),
    sa.Index("ix_credentials_expires_at", "expires_at"),
    sa.Index("ix_credentials_member", "member_id", "kind"),
)


@dataclass(frozen=True)
class Credential:
    id: UUID
    kind: str
    member_id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


_columns = columns_of(Credential, table)


def add(
    tx: Tx,
    kind: Kind,
    hash_: str,
    member_id: UUID,
    name: str,
    now: datetime,
    expires_at: datetime | None,
    parent_id: UUID | None = None,
) -> UUID:
    """A new credential; one that was given out for another one, its parent, ends with that."""
    credential_id = uuid4()
    tx.execute(
        table.insert().values(
            id=credential_id,
            kind=kind,
            hash=hash_,
            member_id=member_id,
            name=name,
            created_at=now,
            expires_at=expires_at,
            parent_id=parent_id,
        )
    )
    return credential_id


def find(tx: Tx, kind: Kind, hash_: str, now: datetime) -> Credential | None:
    """The credential with this hash, if it is good at `now`."""
    query = sa.select(*_columns).where(table.c.kind == kind, table.c.hash == hash_, _is_good(now))
    return one_or_none(tx, Credential, query)


def is_known(tx: Tx, hash_: str) -> bool:
    """Whether a credential with this hash was ever given out, good or not."""
    return tx.execute(sa.select(table.c.id).where(table.c.hash == hash_)).one_or_none() is not None


def use_up(tx: Tx, kind: Kind, hash_: str, now: datetime) -> Credential | None:
    """Take a one-use credential: of two who try, one gets it."""
    found = find(tx, kind, hash_, now)
    if found is None or found.used_at is not None:
        return None
    taken = changed(
        tx, table.update().where(table.c.id == found.id, table.c.used_at.is_(None)).values(used_at=now)
    )
    return found if taken else None


def is_good(tx: Tx, credential_id: UUID, now: datetime) -> bool:
    """Whether a credential still lets somebody in."""
    query = sa.select(table.c.id).where(table.c.id == credential_id, _is_good(now))
    return tx.execute(query).one_or_none() is not None


def get(tx: Tx, credential_id: UUID) -> Credential | None:
    return one_or_none(tx, Credential, sa.select(*_columns).where(table.c.id == credential_id))


def keys_of(tx: Tx, member_ids: Collection[UUID], now: datetime) -> list[Credential]:
    """The API keys of some members that are good, oldest first."""
    query = (
        sa.select(*_columns)
        .where(table.c.kind == "api_key", table.c.member_id.in_(member_ids), _is_good(now))
        .order_by(table.c.created_at, table.c.id)
    )
    return all_of(tx, Credential, query)


def all_keys(tx: Tx, now: datetime) -> list[Credential]:
    """Every API key of the installation that is good, oldest first."""
    query = sa.select(*_columns).where(table.c.kind == "api_key", _is_good(now))
    return all_of(tx, Credential, query.order_by(table.c.created_at, table.c.id))


def note_use(tx: Tx, credential_id: UUID, now: datetime, not_since: datetime) -> None:
    """Remember the last use of a key, unless a use since a moment is remembered already."""
    is_old = sa.or_(table.c.used_at.is_(None), table.c.used_at <= not_since)
    tx.execute(table.update().where(table.c.id == credential_id, is_old).values(used_at=now))


def revoke(tx: Tx, credential_id: UUID, now: datetime) -> bool:
    """End a credential, and what was given out for it."""
    family = sa.or_(table.c.id == credential_id, table.c.parent_id == credential_id)
    return changed(tx, table.update().where(family, table.c.revoked_at.is_(None)).values(revoked_at=now))


def revoke_all_of(tx: Tx, member_id: UUID, now: datetime) -> None:
    """End everything that lets a member in."""
    is_theirs = sa.and_(table.c.member_id == member_id, table.c.revoked_at.is_(None))
    tx.execute(table.update().where(is_theirs).values(revoked_at=now))


def end_sessions_of(tx: Tx, user_id: UUID, now: datetime) -> None:
    """End a person's browser sessions and open sign-in codes; their keys stay."""
    theirs = sa.select(people.members.c.id).where(people.members.c.user_id == user_id)
    is_theirs = sa.and_(table.c.member_id.in_(theirs), table.c.kind != "api_key", table.c.revoked_at.is_(None))
    tx.execute(table.update().where(is_theirs).values(revoked_at=now))


def delete_expired(tx: Tx, before: datetime) -> int:
    """Forget sessions and codes that ended before a moment; keys stay, so that they can be explained."""
    return tx.execute(table.delete().where(table.c.kind != "api_key", table.c.expires_at < before)).rowcount


def _is_good(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.revoked_at.is_(None), sa.or_(table.c.expires_at.is_(None), table.c.expires_at > now))
