"""People and service accounts, and their membership in an organization.

A *membership id* is what `created_by` and `triggered_by` carry over the API, not the user id.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from homeport.errors import Conflict
from homeport.store import passwords
from homeport.store.schema import Moment, Tx, all_of, columns_of, metadata, one_or_none

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True),
    sa.Column("name", sa.String(200)),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False, server_default="human"),
    sa.Column("email_is_proven", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("kind IN ('human', 'service_account')", name="kind"),
)

members = sa.Table(
    "organization_members",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("removed_at", Moment),
    sa.UniqueConstraint("organization_id", "user_id"),
    sa.CheckConstraint("role IN ('owner', 'member', 'collaborator')", name="role"),
)


@dataclass(frozen=True)
class Member:
    """A person in an organization."""

    id: UUID
    """The membership's id."""
    organization_id: UUID
    user_id: UUID
    role: str
    email: str
    name: str | None
    kind: str = "human"
    """human, or service_account: what a workspace's key acts as."""


@dataclass(frozen=True)
class User:
    """A person or a service account, whatever organizations they are in."""

    id: UUID
    email: str
    name: str | None
    kind: str


_joined = members.join(users, members.c.user_id == users.c.id)
_IS_IN = members.c.removed_at.is_(None)
_columns = [
    members.c.id,
    members.c.organization_id,
    members.c.user_id,
    members.c.role,
    users.c.email,
    users.c.name,
    users.c.kind,
]
_user_columns = columns_of(User, users)


def create_member(tx: Tx, organization_id: UUID, email: str, role: str, now: datetime) -> Member:
    """A new person in an organization, on the word of whoever runs the server."""
    return join(tx, create_user(tx, email, None, now, email_is_proven=True), organization_id, role, now)


def create_user(
    tx: Tx,
    email: str,
    name: str | None,
    now: datetime,
    kind: str = "human",
    *,
    email_is_proven: bool = False,
) -> User:
    """A new person or service account, in no organization yet.

    An address that somebody typed is not proven: whoever has it may turn up one day and is not to find a stranger
    in their account. Of two who make an account of one address at once, the second gets `Conflict`.
    """
    user = User(uuid4(), email, name, kind)
    try:
        with tx.begin_nested():
            tx.execute(users.insert().values(**user.__dict__, created_at=now, email_is_proven=email_is_proven))
    except IntegrityError:
        raise Conflict(f"There is an account of {email} already. Sign in to it instead.") from None
    return user


def is_email_proven(tx: Tx, user_id: UUID) -> bool:
    """Whether an administrator or an identity provider says that the address is this person's."""
    return bool(tx.execute(sa.select(users.c.email_is_proven).where(users.c.id == user_id)).scalar_one())


def note_proven_email(tx: Tx, user_id: UUID) -> None:
    tx.execute(users.update().where(users.c.id == user_id).values(email_is_proven=True))


def join(tx: Tx, user: User, organization_id: UUID, role: str, now: datetime) -> Member:
    """Make somebody a member of an organization. Who was one before gets the same membership back."""
    is_it = sa.and_(members.c.organization_id == organization_id, members.c.user_id == user.id)
    member_id = tx.execute(sa.select(members.c.id).where(is_it)).scalar_one_or_none()
    if member_id is None:
        member_id = uuid4()
        tx.execute(
            members.insert().values(
                id=member_id, organization_id=organization_id, user_id=user.id, role=role, created_at=now
            )
        )
    else:
        tx.execute(members.update().where(is_it).values(role=role, removed_at=None))
    return Member(member_id, organization_id, user.id, role, user.email, user.name, user.kind)


def user(tx: Tx, user_id: UUID) -> User | None:
    return one_or_none(tx, User, sa.select(*_user_columns).where(users.c.id == user_id))


def user_by_email(tx: Tx, email: str) -> User | None:
    """The person with this address; `normal_email` says how addresses are compared."""
    query = sa.select(*_user_columns).where(sa.func.lower(users.c.email) == normal_email(email))
    return one_or_none(tx, User, query)


def normal_email(email: str) -> str:
    """The one form of an address: people do not tell upper from lower case in theirs."""
    return email.strip().lower()


def member(tx: Tx, member_id: UUID) -> Member | None:
    """Somebody who is in an organization; none after they were removed."""
    query = sa.select(*_columns).select_from(_joined).where(members.c.id == member_id, _IS_IN)
    return one_or_none(tx, Member, query)


def membership(tx: Tx, organization_id: UUID, user_id: UUID) -> Member | None:
    """A person's place in an organization, if they are in it."""
    is_it = (members.c.organization_id == organization_id, members.c.user_id == user_id)
    return one_or_none(tx, Member, sa.select(*_columns).select_from(_joined).where(*is_it, _IS_IN))


def memberships_of(tx: Tx, user_id: UUID) -> list[Member]:
    """Every organization that a person belongs to, oldest first."""
    query = (
        sa.select(*_columns)
        .select_from(_joined)
        .where(members.c.user_id == user_id, _IS_IN)
        .order_by(members.c.created_at, members.c.id)
    )
    return all_of(tx, Member, query)


def of_organization(tx: Tx, organization_id: UUID) -> list[Member]:
    """The people of an organization, oldest membership first; not its service accounts."""
    query = (
        sa.select(*_columns)
        .select_from(_joined)
        .where(members.c.organization_id == organization_id, users.c.kind == "human", _IS_IN)
        .order_by(members.c.created_at, members.c.id)
    )
    return all_of(tx, Member, query)


def owner_of(tx: Tx, organization_id: UUID) -> Member | None:
    """The one who has owned an organization for longest."""
    return next((item for item in of_organization(tx, organization_id) if item.role == "owner"), None)


def set_role(tx: Tx, member_id: UUID, role: str) -> None:
    tx.execute(members.update().where(members.c.id == member_id).values(role=role))


def remove(tx: Tx, member_id: UUID, now: datetime) -> None:
    """The membership stays, so that what somebody did keeps its name."""
    tx.execute(members.update().where(members.c.id == member_id).values(removed_at=now))


def all_users(tx: Tx) -> list[tuple[User, bool]]:
    """Every person of the installation, and whether they have a password; by address."""
    query = (
        sa.select(*_user_columns, passwords.table.c.user_id)
        .join(passwords.table, passwords.table.c.user_id == users.c.id, isouter=True)
        .where(users.c.kind == "human")
        .order_by(users.c.email)
    )
    return [(User(*row[:-1]), row[-1] is not None) for row in tx.execute(query)]


def names_of(tx: Tx, member_ids: set[UUID]) -> dict[UUID, str]:
    """Membership id to name or e-mail, for pages."""
    query = sa.select(*_columns).select_from(_joined).where(members.c.id.in_(member_ids))
    return {found.id: found.name or found.email for found in all_of(tx, Member, query)}


def first_owner(tx: Tx, organization_id: UUID) -> Member:
    """Who the organization began with."""
    query = (
        sa.select(*_columns)
        .select_from(_joined)
        .where(members.c.organization_id == organization_id, members.c.role == "owner", _IS_IN)
        .order_by(members.c.created_at)
        .limit(1)
    )
    return all_of(tx, Member, query)[0]
