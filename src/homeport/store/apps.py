"""Apps: interactive jobs by the name in their address, when each was last used, and the terms of public links."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import dialects, jobs, runs
from homeport.store.schema import Moment, Tx, changed, columns_of, metadata, one_or_none

uses = sa.Table(
    "app_uses",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("used_at", Moment, nullable=False),
)

links = sa.Table(
    "app_links",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    # the terms are those of this link; another one has none
    sa.Column("public_secret", sa.Uuid, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("password_hash", sa.String(255)),
    sa.Column("views", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Link:
    """The terms of a public link."""

    job_id: UUID
    public_secret: UUID
    expires_at: datetime | None = None
    password_hash: str | None = None
    views: int = 0
    """How often it was opened."""


_link_columns = columns_of(Link, links)


@dataclass(frozen=True)
class Serving:
    """A run whose app answers, and when that was last used."""

    run: runs.Run
    definition: dict[str, Any]
    used_at: datetime | None

    def last_use(self, up_since: datetime) -> datetime:
        """When it was used last, as far as that counts: nobody could come before it or the server was up."""
        started_at = self.run.started_at or self.run.created_at
        return max(started_at, self.used_at or started_at, up_since)


def job_of_name(tx: Tx, name: str) -> jobs.CurrentJob | None:
    """The job behind an address."""
    job_id = tx.execute(sa.select(jobs.table.c.id).where(jobs.table.c.app_name == name)).scalar_one_or_none()
    return None if job_id is None else next(iter(jobs.by_ids(tx, [job_id])), None)


def first_free(tx: Tx, wanted: Iterator[str]) -> str:
    """The first of these names that no app has; nobody else takes one until the transaction ends."""
    dialects.lock(tx, dialects.APP_NAMES_LOCK)
    for name in wanted:
        if tx.execute(sa.select(jobs.table.c.id).where(jobs.table.c.app_name == name)).one_or_none() is None:
            return name
    raise AssertionError("the names never end")


def note_use(tx: Tx, job_id: UUID, now: datetime) -> None:
    """The app is in use; never earlier than noted before."""
    if not changed(tx, uses.update().where(uses.c.job_id == job_id, uses.c.used_at < now).values(used_at=now)):
        known = tx.execute(sa.select(uses.c.job_id).where(uses.c.job_id == job_id)).one_or_none()
        if known is None:
            tx.execute(uses.insert().values(job_id=job_id, used_at=now))


def serving(tx: Tx) -> list[Serving]:
    """All apps that answer."""
    query = (
        sa.select(runs.table.c.id, uses.c.used_at)
        .join(jobs.table, jobs.table.c.id == runs.table.c.job_id)
        .outerjoin(uses, uses.c.job_id == runs.table.c.job_id)
        .where(runs.table.c.status == str(RunStatus.RUNNING), jobs.table.c.app_name.is_not(None))
    )
    found = []
    for run_id, used_at in tx.execute(query).all():
        run = runs.get(tx, run_id)
        if run is not None:
            found.append(Serving(run, jobs.version(tx, run.job_version_id).definition, used_at))
    return found


def link_of(tx: Tx, job: jobs.Job) -> Link | None:
    """The terms of a job's public link; none where it has no link."""
    if job.public_secret is None:
        return None
    is_of_it = sa.and_(links.c.job_id == job.id, links.c.public_secret == job.public_secret)
    found = one_or_none(tx, Link, sa.select(*_link_columns).where(is_of_it))
    return found or Link(job.id, job.public_secret)


def put_link(tx: Tx, link: Link) -> None:
    """Write the terms of a link; those of the job's link before it are void. The caller holds the job."""
    tx.execute(links.delete().where(links.c.job_id == link.job_id))
    tx.execute(links.insert().values(link.__dict__))


def count_view(tx: Tx, job: jobs.Job) -> None:
    """Somebody opened the job's public link. The caller holds the job."""
    link = link_of(tx, job)
    if link is None:
        return
    is_of_it = sa.and_(links.c.job_id == job.id, links.c.public_secret == job.public_secret)
    if not changed(tx, links.update().where(is_of_it).values(views=links.c.views + 1)):
        put_link(tx, Link(link.job_id, link.public_secret, views=1))
