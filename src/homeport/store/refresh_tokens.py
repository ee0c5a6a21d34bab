"""Logins of the command line and the refresh tokens that keep them going.

A login is a family of refresh tokens: each use replaces the token by a new one of the same login. A login ends
when nobody refreshed it for a while, or when it is revoked; its tokens and access tokens end with it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, changed, metadata, one_or_none

sessions = sa.Table(
    "login_sessions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("client", sa.String(200), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
    sa.Index("ix_login_sessions_user", "user_id"),
)

tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("login_sessions.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("replaced_at", Moment),
    sa.Index("ix_refresh_tokens_session", "session_id"),
)


@dataclass(frozen=True)
class RefreshToken:
    """A token with the login that it belongs to."""

    hash: str
    session_id: UUID
    replaced_at: datetime | None
    user_id: UUID
    expires_at: datetime
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether its login goes on."""
        return self.revoked_at is None and self.expires_at > now


_columns = [
    *(tokens.c[name] for name in ("hash", "session_id", "replaced_at")),
    *(sessions.c[name] for name in ("user_id", "expires_at", "revoked_at")),
]


def open_session(tx: Tx, user_id: UUID, client: str, now: datetime, expires_at: datetime) -> UUID:
    """A new login, without a token yet."""
    session_id = uuid4()
    row = {"id": session_id, "user_id": user_id, "client": client, "created_at": now, "expires_at": expires_at}
    tx.execute(sessions.insert().values(row))
    return session_id


def add(tx: Tx, session_id: UUID, hash_: str, now: datetime) -> None:
    tx.execute(tokens.insert().values(hash=hash_, session_id=session_id, created_at=now))


def get(tx: Tx, hash_: str) -> RefreshToken | None:
    query = sa.select(*_columns).select_from(tokens.join(sessions)).where(tokens.c.hash == hash_)
    return one_or_none(tx, RefreshToken, query)


def replace(tx: Tx, hash_: str, now: datetime) -> bool:
    """Whether this was the first use: of two at once, one replaces the token."""
    return changed(
        tx, tokens.update().where(tokens.c.hash == hash_, tokens.c.replaced_at.is_(None)).values(replaced_at=now)
    )


def prolong(tx: Tx, session_id: UUID, expires_at: datetime) -> None:
    tx.execute(sessions.update().where(sessions.c.id == session_id).values(expires_at=expires_at))


def session_user(tx: Tx, session_id: UUID, now: datetime) -> UUID | None:
    """Whose login this is; none when it is over."""
    query = sa.select(sessions.c.user_id).where(
        sessions.c.id == session_id, sessions.c.revoked_at.is_(None), sessions.c.expires_at > now
    )
    return tx.execute(query).scalar_one_or_none()


def revoke(tx: Tx, session_id: UUID, now: datetime) -> bool:
    is_live = sa.and_(sessions.c.id == session_id, sessions.c.revoked_at.is_(None))
    return changed(tx, sessions.update().where(is_live).values(revoked_at=now))


def revoke_all_of(tx: Tx, user_id: UUID, now: datetime) -> None:
    """End every login of a person."""
    is_live = sa.and_(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None))
    tx.execute(sessions.update().where(is_live).values(revoked_at=now))


def delete_ended(tx: Tx, before: datetime) -> None:
    """Forget logins that ended before a moment, and tokens with them."""
    ended = sa.or_(sessions.c.expires_at < before, sessions.c.revoked_at < before)
    tx.execute(tokens.delete().where(tokens.c.session_id.in_(sa.select(sessions.c.id).where(ended))))
    tx.execute(sessions.delete().where(ended))
