"""What dlt's pipelines leave for dashboards and notebooks: state, schemas, the last trace. The latest of each
pipeline, by workspace and by the profile whose data it is.

The bytes are in object storage, under a name that is used once. An object that no row refers to stands among the
strays, from before it is written until after it is deleted: whoever dies in between leaves nothing that cannot be
found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from homeport.contract.runner_protocol import MAX_PIPELINE_NAME_CHARS
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.store.schema import Moment, Tx, all_of, changed, columns_of, metadata, one_or_none

KIND = "artifacts"
"""Of its objects in storage."""

table = sa.Table(
    "artifacts",
    metadata,
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("profile", sa.String(100), primary_key=True),
    sa.Column("pipeline", sa.String(MAX_PIPELINE_NAME_CHARS), primary_key=True),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("object", sa.String(32), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    # when dlt wrote them; of two, the later ones stay
    sa.Column("written_at", Moment, nullable=False),
)

strays = sa.Table(
    "artifact_strays",
    metadata,
    sa.Column("object", sa.String(32), primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("since", Moment, nullable=False),
)


@dataclass(frozen=True)
class Artifacts:
    """Of one pipeline."""

    workspace_id: UUID
    profile: str
    """Whose data the pipeline has loaded: not `access`, which reads another's."""
    pipeline: str
    run_id: UUID
    object: str
    sha256: str
    """Hex digest of the archive."""
    size_bytes: int
    written_at: datetime


_columns = columns_of(Artifacts, table)
_OF_PROFILE = (
    sa.select(*_columns)
    .where(table.c.workspace_id == sa.bindparam("workspace_id"), table.c.profile == sa.bindparam("profile"))
    .order_by(table.c.pipeline)
)


def of_profile(tx: Tx, workspace_id: UUID, profile: str) -> list[Artifacts]:
    """By the names of the pipelines."""
    return all_of(tx, Artifacts, _OF_PROFILE, workspace_id=workspace_id, profile=profile)


def of_pipeline(tx: Tx, workspace_id: UUID, pipeline: str) -> list[Artifacts]:
    """In all profiles, by their names."""
    query = sa.select(*_columns).where(table.c.workspace_id == workspace_id, table.c.pipeline == pipeline)
    return all_of(tx, Artifacts, query.order_by(table.c.profile))


def get(tx: Tx, workspace_id: UUID, profile: str, pipeline: str) -> Artifacts | None:
    query = sa.select(*_columns).where(*_is(workspace_id, profile, pipeline))
    return one_or_none(tx, Artifacts, query)


def is_news(tx: Tx, new: Artifacts) -> bool:
    """Whether `keep` would keep them now."""
    kept = get(tx, new.workspace_id, new.profile, new.pipeline)
    return kept is None or (kept.written_at <= new.written_at and kept.sha256 != new.sha256)


def announce(tx: Tx, workspace_id: UUID, name: str, now: datetime) -> None:
    """An object is about to be written."""
    tx.execute(strays.insert().values(object=name, workspace_id=workspace_id, since=now))


def keep(tx: Tx, new: Artifacts, now: datetime) -> list[str]:
    """From now on these are the pipeline's, unless later ones are there, or the object was taken for a stray.

    The answer are the objects that nothing refers to now. The caller holds the workspace's lock.
    """
    kept = get(tx, new.workspace_id, new.profile, new.pipeline)
    if kept is not None and kept.written_at > new.written_at:
        return [new.object]
    if not changed(tx, strays.delete().where(strays.c.object == new.object)):
        return []
    if kept is None:
        tx.execute(table.insert().values(**new.__dict__))
        return []
    tx.execute(table.update().where(*_is(new.workspace_id, new.profile, new.pipeline)).values(**new.__dict__))
    announce(tx, kept.workspace_id, kept.object, now)
    return [kept.object]


def drop_beyond(tx: Tx, workspace_id: UUID, profile: str, most: int, most_bytes: int, now: datetime) -> list[str]:
    """Let go of those that were written longest ago, where there are too many or all together are too large.

    The answer are the objects that nothing refers to now.
    """
    found = sorted(of_profile(tx, workspace_id, profile), key=lambda item: item.written_at, reverse=True)
    total, dropped = 0, []
    for number, item in enumerate(found, 1):
        total += item.size_bytes
        if number > most or total > most_bytes:
            tx.execute(table.delete().where(*_is(workspace_id, profile, item.pipeline)))
            announce(tx, workspace_id, item.object, now)
            dropped.append(item.object)
    return dropped


def drop_objects(tx: Tx, names: Sequence[str]) -> None:
    """Let go of artifacts whose objects are not there."""
    tx.execute(table.delete().where(table.c.object.in_(names)))


def delete_strays(database: Database, blobs: Blobs, workspace_id: UUID, names: Sequence[str]) -> None:
    """Delete these objects, to which no row refers. One that is gone already is no fault."""
    for name in names:
        blobs.delete(workspace_id, KIND, name)
        with database.write() as tx:
            tx.execute(strays.delete().where(strays.c.object == name))


def old_strays(tx: Tx, before: datetime, limit: int) -> list[tuple[UUID, str]]:
    """Objects, each with its workspace, whose writer or deleter has not come to its end."""
    query = sa.select(strays.c.workspace_id, strays.c.object).where(strays.c.since < before).limit(limit)
    return [(workspace_id, name) for workspace_id, name in tx.execute(query)]


def _is(workspace_id: UUID, profile: str, pipeline: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.workspace_id == workspace_id,
        table.c.profile == profile,
        table.c.pipeline == pipeline,
    )
