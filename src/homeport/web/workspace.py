"""A workspace: its jobs, what ran last, the versions that are active, and how to deploy to it."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.responses import Response

from homeport.contract.storage import StorageItem
from homeport.operations import page_queries
from homeport.operations.page_queries import VersionSeen, WorkspaceSeen
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.rows import JobRow, RunRow, job_rows, run_rows
from homeport.web.visiting import Visiting, Visitor


@dataclass(frozen=True)
class ActiveVersion:
    """The version of code or configuration that the next run uses."""

    version: int
    created_at: datetime
    author: str
    file_count: int
    size_bytes: int
    profiles: tuple[str, ...]
    """Of configuration only."""


@dataclass(frozen=True)
class WorkspacePage:
    frame: Frame
    name: str
    description: str | None
    is_archived: bool
    connect_commands: tuple[str, ...]
    """What to type in a workspace's folder to bring it here."""
    jobs: tuple[JobRow, ...]
    jobs_left_out: int
    """How many more there are than are listed."""
    archived_jobs: tuple[JobRow, ...]
    archived_left_out: int
    runs: tuple[RunRow, ...]
    code: ActiveVersion | None
    configuration: ActiveVersion | None
    storage: tuple[StorageItem, ...]
    """What its runs have left in local destinations."""


def show(visitor: Visiting, workspace_id: UUID) -> Response:
    return rendering.answer(
        _page(visitor, page_queries.workspace(visitor.platform, visitor.principal, workspace_id))
    )


def _page(visitor: Visitor, seen: WorkspaceSeen) -> WorkspacePage:
    found = seen.workspace
    return WorkspacePage(
        frame=visitor.frame(found.name),
        name=found.name,
        description=found.description,
        is_archived=found.archived_at is not None,
        connect_commands=(
            f"homeport connect --url {visitor.base_url} --workspace {shlex.quote(found.name)}",
            "dlthub deploy",
        ),
        jobs=job_rows(seen.live),
        jobs_left_out=seen.live_total - len(seen.live),
        archived_jobs=job_rows(seen.archived),
        archived_left_out=seen.archived_total - len(seen.archived),
        runs=run_rows(seen.recent, visitor.now),
        code=_version(seen.code),
        configuration=_version(seen.configuration),
        storage=tuple(seen.storage),
    )


def _version(seen: VersionSeen | None) -> ActiveVersion | None:
    if seen is None:
        return None
    found = seen.package
    return ActiveVersion(
        version=found.version,
        created_at=found.created_at,
        author=seen.author,
        file_count=found.file_count,
        size_bytes=found.size_bytes,
        profiles=tuple(found.profiles),
    )
