"""The ledger of scheduled moments: each is there once, under (job, trigger, moment), with what became of it.

Two schedulers may try; the primary key lets one of them in.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from homeport.store.schema import Json, Moment, Tx, metadata

table = sa.Table(
    "ticks",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("trigger", sa.String(300), primary_key=True),
    sa.Column("moment", Moment, primary_key=True),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id")),
    sa.Column("decided_at", Moment, nullable=False),
)


def record(
    tx: Tx,
    job_id: UUID,
    trigger: str,
    moment: datetime,
    outcome: str,
    reasons: list[str],
    run_id: UUID | None,
    now: datetime,
) -> bool:
    """Record what became of a moment; false when that was recorded before."""
    try:
        with tx.begin_nested():
            tx.execute(
                table.insert().values(
                    job_id=job_id,
                    trigger=trigger,
                    moment=moment,
                    outcome=outcome,
                    reasons=reasons,
                    run_id=run_id,
                    decided_at=now,
                )
            )
    except IntegrityError:
        return False
    return True


def exists(tx: Tx, job_id: UUID, trigger: str, moment: datetime) -> bool:
    query = sa.select(table.c.outcome).where(
        table.c.job_id == job_id, table.c.trigger == trigger, table.c.moment == moment
    )
    return tx.execute(query).one_or_none() is not None


def has_any(tx: Tx, job_id: UUID, trigger: str) -> bool:
    """Whether this trigger of the job ever had a moment."""
    query = sa.select(table.c.outcome).where(table.c.job_id == job_id, table.c.trigger == trigger).limit(1)
    return tx.execute(query).one_or_none() is not None
