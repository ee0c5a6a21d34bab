"""A moment comes back as it went in: aware, in UTC, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from homeport.store import organizations
from homeport.store.database import Database

from ..conftest import NOW


@pytest.mark.parametrize(
    "moment",
    [
        NOW,
        NOW.astimezone(timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 3, 2, 12, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_moment_keeps_its_microseconds_and_is_utc(database: Database, moment: datetime) -> None:
    with database.write() as tx:
        organizations.create(tx, "Acme", moment)
    with database.read() as tx:
        found = organizations.first(tx)
    assert found is not None
    assert found.created_at == moment
    assert found.created_at.utcoffset() == timedelta(0)


def test_moments_with_and_without_microseconds_are_ordered_by_time(database: Database) -> None:
    whole = datetime(2026, 3, 2, 12, tzinfo=UTC)
    moments = [whole + timedelta(microseconds=1), whole, whole - timedelta(microseconds=1)]
    with database.write() as tx:
        for moment in moments:
            organizations.create(tx, "Acme", moment)
    column = organizations.table.c.created_at
    with database.read() as tx:
        assert list(tx.execute(sa.select(column).order_by(column)).scalars()) == sorted(moments)
        assert tx.execute(sa.select(sa.func.count(column)).where(column < whole)).scalar_one() == 1


def test_a_moment_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="without time zone"), database.write() as tx:
        organizations.create(tx, "Acme", datetime(2026, 3, 2, 12))  # noqa: DTZ001 - what is refused
