"""Versions of code (deployments) and of configuration, and the uploads that make them.

Both count from 1 per workspace, apart from each other; the highest version is the active one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.scheduling.retries import JobSettings
from homeport.store import workspaces
from homeport.store.schema import (
    Json,
    Moment,
    Tx,
    all_of,
    changed,
    columns_of,
    count_up_to,
    metadata,
    one_or_none,
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.CheckConstraint("kind IN ('deployments', 'configurations')", name="kind"),
)

table = sa.Table(
    "packages",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("archive_sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("files", Json, nullable=False),
    sa.Column("file_count", sa.Integer, nullable=False),
    sa.Column("requirements", Json),
    sa.Column("requirements_size_bytes", sa.Integer, nullable=False),
    sa.Column("profiles", Json, nullable=False),
    # of a configuration: what it says to Homeport about jobs (`scheduling/retries.py`); no secrets
    sa.Column("job_settings", Json),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey("organization_members.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("workspace_id", "kind", "version"),
    sa.CheckConstraint("kind IN ('deployments', 'configurations')", name="kind"),
    sa.CheckConstraint("version > 0", name="version"),
)


@dataclass(frozen=True)
class Upload:
    id: UUID
    workspace_id: UUID
    kind: str
    created_by: UUID
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class Package:
    """One version, without its file list."""

    id: UUID
    workspace_id: UUID
    kind: str
    version: int
    content_hash: str
    archive_sha256: str
    """Hex digest of the archive as stored."""
    size_bytes: int
    file_count: int
    requirements_size_bytes: int
    profiles: list[str]
    created_by: UUID
    created_at: datetime


@dataclass(frozen=True)
class Pins:
    """The versions that a new run uses, and no other; none where nothing was uploaded."""

    code_id: UUID | None
    configuration_id: UUID | None
    profiles: list[str]
    """Configured ones."""
    job_settings: JobSettings | None


@dataclass(frozen=True)
class Contents:
    """What an upload held."""

    content_hash: str
    archive_sha256: str
    size_bytes: int
    files: list[dict[str, Any]]
    requirements: dict[str, Any] | None
    requirements_size_bytes: int
    profiles: list[str]
    job_settings: JobSettings | None = None


_columns = columns_of(Package, table)
_upload_columns = columns_of(Upload, uploads)


def issue_upload(tx: Tx, upload: Upload, token_hash: str, now: datetime) -> None:
    tx.execute(
        uploads.insert().values(
            id=upload.id,
            workspace_id=upload.workspace_id,
            kind=upload.kind,
            token_hash=token_hash,
            created_by=upload.created_by,
            created_at=now,
            expires_at=upload.expires_at,
        )
    )


def upload_by_token(tx: Tx, token_hash: str) -> Upload | None:
    query = sa.select(*_upload_columns).where(uploads.c.token_hash == token_hash)
    return one_or_none(tx, Upload, query)


def use_up_upload(tx: Tx, upload_id: UUID, now: datetime) -> bool:
    """Take the upload; a second taker gets false."""
    return changed(
        tx, uploads.update().where(uploads.c.id == upload_id, uploads.c.used_at.is_(None)).values(used_at=now)
    )


def delete_stale_uploads(tx: Tx, before: datetime) -> int:
    """Forget uploads that were never made and can no longer be."""
    return tx.execute(uploads.delete().where(uploads.c.used_at.is_(None), uploads.c.expires_at < before)).rowcount


def add_version(tx: Tx, upload: Upload, contents: Contents, now: datetime) -> Package:
    """The next version of the workspace. The caller holds the workspace's lock."""
    newest = tx.execute(
        sa.select(sa.func.max(table.c.version)).where(
            table.c.workspace_id == upload.workspace_id, table.c.kind == upload.kind
        )
    ).scalar_one()
    package = Package(
        id=upload.id,
        workspace_id=upload.workspace_id,
        kind=upload.kind,
        version=(newest or 0) + 1,
        content_hash=contents.content_hash,
        archive_sha256=contents.archive_sha256,
        size_bytes=contents.size_bytes,
        file_count=len(contents.files),
        requirements_size_bytes=contents.requirements_size_bytes,
        profiles=contents.profiles,
        created_by=upload.created_by,
        created_at=now,
    )
    tx.execute(
        table.insert().values(
            **package.__dict__,
            files=contents.files,
            requirements=contents.requirements,
            job_settings=contents.job_settings or None,
        )
    )
    return package


def latest(tx: Tx, workspace_id: UUID, kind: str) -> Package | None:
    """The active version."""
    query = (
        sa.select(*_columns)
        .where(table.c.workspace_id == workspace_id, table.c.kind == kind)
        .order_by(table.c.version.desc())
        .limit(1)
    )
    return one_or_none(tx, Package, query)


def _newest(kind: str) -> sa.ScalarSelect[UUID]:
    """The id of a workspace's active version."""
    version = table.alias()
    return (
        sa.select(version.c.id)
        .where(version.c.workspace_id == workspaces.table.c.id, version.c.kind == kind)
        .order_by(version.c.version.desc())
        .limit(1)
        .correlate(workspaces.table)
        .scalar_subquery()
    )


_configuration = table.alias("configuration")
_PINS = (
    sa.select(
        workspaces.table.c.id,
        _newest("deployments").label("code_id"),
        _configuration.c.id.label("configuration_id"),
        _configuration.c.profiles,
        _configuration.c.job_settings,
    )
    .select_from(workspaces.table)
    .outerjoin(_configuration, _configuration.c.id == _newest("configurations"))
    .where(workspaces.table.c.id.in_(sa.bindparam("ids", expanding=True)))
)


def pins(tx: Tx, workspace_ids: Collection[UUID]) -> dict[UUID, Pins]:
    """What runs of these workspaces use that are made now."""
    found = tx.execute(_PINS, {"ids": list(workspace_ids)})
    return {row[0]: Pins(row[1], row[2], row[3] or [], row[4]) for row in found}


def get(tx: Tx, workspace_id: UUID, kind: str, package_id: UUID) -> Package | None:
    query = sa.select(*_columns).where(
        table.c.id == package_id, table.c.workspace_id == workspace_id, table.c.kind == kind
    )
    return one_or_none(tx, Package, query)


def page(
    tx: Tx,
    workspace_id: UUID,
    kind: str,
    *,
    version: int | None,
    limit: int,
    offset: int,
    cap: int,
    order: Sequence[tuple[str, bool]] = (),
) -> tuple[list[Package], int]:
    """Versions, newest first, unless ordered by other columns (and whether those descend)."""
    query = sa.select(*_columns).where(table.c.workspace_id == workspace_id, table.c.kind == kind)
    if version is not None:
        query = query.where(table.c.version == version)
    ordering = [table.c[name].desc() if descends else table.c[name].asc() for name, descends in order]
    ordered = query.order_by(*ordering, table.c.version.desc())
    rows = all_of(tx, Package, ordered.limit(limit).offset(offset))
    return rows, count_up_to(tx, query, cap)


def files(tx: Tx, package_id: UUID) -> list[dict[str, Any]]:
    """The files manifest of a version, sorted by path."""
    found: list[dict[str, Any]] = tx.execute(sa.select(table.c.files).where(table.c.id == package_id)).scalar_one()
    return found


def requirements(tx: Tx, package_id: UUID) -> dict[str, Any]:
    """The requirements manifest uploaded with a code version."""
    found: dict[str, Any] = tx.execute(
        sa.select(table.c.requirements).where(table.c.id == package_id)
    ).scalar_one()
    return found


def job_settings(tx: Tx, package_id: UUID) -> JobSettings | None:
    """What a configuration says about retries and turns of jobs."""
    found: JobSettings | None = tx.execute(
        sa.select(table.c.job_settings).where(table.c.id == package_id)
    ).scalar_one_or_none()
    return found
