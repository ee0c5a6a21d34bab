"""Attempts: what an engine and a runner do for a run. One is alive at a time; a retry is a new one.

    submitted ──claim──▶ claimed ──begin──▶ running ──┐
        └───────────────────┴──────────────────────────┴──end──▶ ended

The claim is a compare-and-set on the ticket: whatever the engine starts twice, one runner gets the attempt.
A runner that lost its attempt (ended here) is fenced: its session no longer finds a live row.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.store.schema import Moment, Tx, all_of, changed, columns_of, metadata, one_or_none

table = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.String(52), primary_key=True),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("ticket_hash", sa.String(64), nullable=False),
    sa.Column("session_hash", sa.String(64)),
    sa.Column("host", sa.String(200)),
    sa.Column("pid", sa.Integer),
    # where an engine placed it
    sa.Column("node", sa.String(64)),
    # the machine whose memory it takes
    sa.Column("machine", sa.String(64)),
    sa.Column("next_line", sa.BigInteger, nullable=False),
    sa.Column("contact_at", Moment, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # when its process began
    sa.Column("started_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("end_cause", sa.String(20)),
    sa.Column("end_detail", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("token_hash", sa.String(64)),
    # what all processes of it took, as its runner measured
    sa.Column("peak_memory_bytes", sa.BigInteger),
    sa.Column("cpu_seconds", sa.Float),
    sa.Column("read_bytes", sa.BigInteger),
    sa.Column("written_bytes", sa.BigInteger),
    sa.UniqueConstraint("run_id", "number"),
    sa.CheckConstraint("state IN ('submitted', 'claimed', 'running', 'ended')", name="state"),
    sa.Index("ix_attempts_state", "state"),
)


@dataclass(frozen=True)
class Usage:
    """What all processes of an attempt took; None is what its runner could not measure, or never reported."""

    peak_memory_bytes: int | None = None
    """The most that they had at once."""
    cpu_seconds: float | None = None
    read_bytes: int | None = None
    """By system calls, cached or not."""
    written_bytes: int | None = None


NOT_MEASURED = Usage()
_USAGE = tuple(asdict(NOT_MEASURED))


@dataclass(frozen=True)
class Attempt:
    id: str
    """The engine-side name: `hp-<run id in hex>-<number>`."""
    run_id: UUID
    number: int
    state: str
    host: str | None
    pid: int | None
    next_line: int
    """How many lines of its log are kept; the number of the next one wanted."""
    contact_at: datetime
    """When its runner was last heard; before the claim, when it was given to the engine."""
    created_at: datetime
    ended_at: datetime | None
    started_at: datetime | None = None
    """When its process began."""
    end_cause: str | None = None
    """As of a run; of attempts that ended before causes were kept, none."""
    end_detail: str | None = None
    exit_code: int | None = None
    node: str | None = None
    """Of the engine that has it: only engines of this node can tell whether it lives. None for attempts from
    before nodes were kept."""
    peak_memory_bytes: int | None = None
    """As in `Usage`, and so the next three."""
    cpu_seconds: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


_columns = columns_of(Attempt, table)
# by name, which the index answers: with `!=`, every look would read all attempts there ever were
is_live = table.c.state.in_(("submitted", "claimed", "running"))


def name_of(run_id: UUID, number: int) -> str:
    return f"hp-{run_id.hex}-{number}"


def submit(
    tx: Tx,
    run_id: UUID,
    number: int,
    ticket_hash: str,
    now: datetime,
    node: str | None = None,
    machine: str | None = None,
) -> Attempt:
    """A new attempt, waiting for its runner."""
    name = name_of(run_id, number)
    attempt = Attempt(name, run_id, number, "submitted", None, None, 0, now, now, None, node=node)
    tx.execute(table.insert().values(**attempt.__dict__, ticket_hash=ticket_hash, machine=machine))
    return attempt


def renew_ticket(
    tx: Tx,
    attempt: Attempt,
    ticket_hash: str,
    now: datetime,
    node: str | None = None,
    machine: str | None = None,
) -> bool:
    """Another ticket for an attempt that nobody claimed, and for a runner on this node; the one before it is void.

    False if somebody claimed it, or renewed it, since it was looked at.
    """
    as_seen = sa.and_(table.c.id == attempt.id, table.c.contact_at == attempt.contact_at)
    return changed(
        tx,
        table.update()
        .where(as_seen, table.c.state == "submitted")
        .values(ticket_hash=ticket_hash, contact_at=now, node=node, machine=machine),
    )


def claim(
    tx: Tx, attempt_id: str, ticket_hash: str, session_hash: str, host: str, pid: int, now: datetime
) -> bool:
    """Take the attempt for the one runner that comes first with the right ticket.

    The same process may come again, when the answer to its claim was lost: it gets another session.
    """
    is_free = table.c.state == "submitted"
    is_the_same = sa.and_(table.c.state == "claimed", table.c.host == host, table.c.pid == pid)
    return changed(
        tx,
        table.update()
        .where(table.c.id == attempt_id, sa.or_(is_free, is_the_same), table.c.ticket_hash == ticket_hash)
        .values(state="claimed", session_hash=session_hash, host=host, pid=pid, contact_at=now),
    )


def set_token(tx: Tx, attempt_id: str, token_hash: str) -> None:
    """The token that its process is given; the one of a claim before is void."""
    tx.execute(table.update().where(table.c.id == attempt_id).values(token_hash=token_hash))


def has_token(tx: Tx, attempt_id: str, token_hash: str) -> bool:
    """Whether this token was made for the attempt, be it live or over."""
    query = sa.select(table.c.id).where(table.c.id == attempt_id, table.c.token_hash == token_hash)
    return tx.execute(query).one_or_none() is not None


def begin(tx: Tx, attempt_id: str, now: datetime) -> bool:
    """Its process lives."""
    is_claimed = sa.and_(table.c.id == attempt_id, table.c.state == "claimed")
    return changed(tx, table.update().where(is_claimed).values(state="running", started_at=now))


_END = (
    table.update()
    .where(table.c.run_id == sa.bindparam("of_run"), is_live)
    .values(
        state="ended",
        ended_at=sa.bindparam("at", type_=Moment),
        **{
            name: sa.bindparam(f"its_{name}", type_=table.c[name].type)
            for name in ("end_cause", "end_detail", "exit_code", *_USAGE)
        },
    )
)


def end(
    tx: Tx,
    run_id: UUID,
    now: datetime,
    *,
    end_cause: str | None = None,
    end_detail: str | None = None,
    exit_code: int | None = None,
    usage: Usage = NOT_MEASURED,
) -> bool:
    """No attempt of the run is alive any more; who comes later is fenced."""
    how = {"end_cause": end_cause, "end_detail": end_detail, "exit_code": exit_code, **asdict(usage)}
    values = {f"its_{name}": value for name, value in how.items()}
    return tx.execute(_END, {"of_run": run_id, "at": now, **values}).rowcount > 0


def count(tx: Tx, run_id: UUID) -> int:
    """How many attempts a run has had; the number of the latest."""
    query = sa.select(sa.func.coalesce(sa.func.max(table.c.number), 0)).where(table.c.run_id == run_id)
    return int(tx.execute(query).scalar_one())


def of_session(tx: Tx, attempt_id: str, session_hash: str) -> Attempt | None:
    """The live attempt that a runner's session speaks for."""
    query = sa.select(*_columns).where(table.c.id == attempt_id, table.c.session_hash == session_hash, is_live)
    return one_or_none(tx, Attempt, query)


def ended_session(tx: Tx, attempt_id: str, session_hash: str) -> bool:
    """Whether this session spoke for the attempt before it ended: a repeated exit report is no intruder."""
    query = sa.select(table.c.id).where(table.c.id == attempt_id, table.c.session_hash == session_hash)
    return tx.execute(query).one_or_none() is not None


def hear(tx: Tx, attempt_id: str, now: datetime) -> None:
    """Its runner was in contact."""
    tx.execute(table.update().where(table.c.id == attempt_id, is_live).values(contact_at=now))


def advance_lines(tx: Tx, attempt_id: str, first: int, next_line: int) -> bool:
    """Make room for lines `[first, next_line)`, if `first` is what is wanted next."""
    return changed(
        tx,
        table.update().where(table.c.id == attempt_id, table.c.next_line == first).values(next_line=next_line),
    )


def get(tx: Tx, attempt_id: str) -> Attempt | None:
    return one_or_none(tx, Attempt, sa.select(*_columns).where(table.c.id == attempt_id))


LIVE = sa.select(*_columns).where(is_live).order_by(table.c.created_at)
"""What every look of the watch asks for; it must be answered from the index."""


def live(tx: Tx) -> list[Attempt]:
    """Attempts that somebody must watch over, oldest first."""
    return all_of(tx, Attempt, LIVE)


def of_run(tx: Tx, run_id: UUID) -> list[Attempt]:
    return all_of(tx, Attempt, sa.select(*_columns).where(table.c.run_id == run_id).order_by(table.c.number))
