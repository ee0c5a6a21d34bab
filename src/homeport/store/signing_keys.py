"""Key pairs that access tokens are signed with. The private half is sealed; the public half stays readable, so
that tokens of a key that is no longer used are accepted until they end."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, columns_of, metadata, one_or_none

table = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("retired_at", Moment),
)


@dataclass(frozen=True)
class SigningKey:
    id: str
    """What tokens name it by: their `kid`."""
    public_key: bytes
    sealed_private_key: bytes
    created_at: datetime
    retired_at: datetime | None
    """From when on nothing is signed with it."""


_columns = columns_of(SigningKey, table)


def add(tx: Tx, key: SigningKey) -> None:
    """The key that is signed with from now on; the ones before it retire."""
    tx.execute(table.update().where(table.c.retired_at.is_(None)).values(retired_at=key.created_at))
    tx.execute(table.insert().values(key.__dict__))


def newest(tx: Tx) -> SigningKey | None:
    """The key to sign with."""
    query = (
        sa.select(*_columns)
        .where(table.c.retired_at.is_(None))
        .order_by(table.c.created_at.desc(), table.c.id)
        .limit(1)
    )
    return one_or_none(tx, SigningKey, query)


def get(tx: Tx, key_id: str) -> SigningKey | None:
    return one_or_none(tx, SigningKey, sa.select(*_columns).where(table.c.id == key_id))
