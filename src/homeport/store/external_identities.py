"""Who people are at identity providers: an account there, by issuer and subject, signs one person in here."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store import dialects
from homeport.store.schema import Moment, Tx, metadata

table = sa.Table(
    "external_identities",
    metadata,
    sa.Column("issuer", sa.String(400), primary_key=True),
    sa.Column("subject", sa.String(255), primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index("ix_external_identities_user_id", "user_id"),
)

SUBJECT_CHARS = 255
"""The longest that OpenID Connect allows."""


def user_of(tx: Tx, issuer: str, subject: str) -> UUID | None:
    """Whom an account at a provider signs in."""
    query = sa.select(table.c.user_id).where(table.c.issuer == issuer, table.c.subject == subject)
    return tx.execute(query).scalar_one_or_none()


def is_connected(tx: Tx, issuer: str, user_id: UUID) -> bool:
    """Whether any account at this provider signs the person in."""
    query = sa.select(table.c.subject).where(table.c.issuer == issuer, table.c.user_id == user_id).limit(1)
    return tx.execute(query).first() is not None


def issuers_of(tx: Tx, user_id: UUID) -> set[str]:
    """The providers that sign a person in."""
    return set(tx.execute(sa.select(table.c.issuer).where(table.c.user_id == user_id)).scalars())


def wait_for_turn(tx: Tx) -> None:
    """Of two who sign in for the first time at once, one looks after the other has written."""
    dialects.one_at_a_time(tx, "external identities")


def add(tx: Tx, issuer: str, subject: str, user_id: UUID, now: datetime) -> None:
    tx.execute(table.insert().values(issuer=issuer, subject=subject, user_id=user_id, created_at=now))
