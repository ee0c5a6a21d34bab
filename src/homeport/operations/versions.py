"""Look at versions of code and configuration (wire contract §8.1, §8.2)."""

from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP
from homeport.contract.lists import VersionsQuery
from homeport.contract.packages import ManifestFileResponse, ManifestFilesResponse, PackageKind
from homeport.errors import NotFound
from homeport.operations.paging import cursor, cursor_offset
from homeport.operations.platform import Platform
from homeport.store import packages
from homeport.store.packages import Package


def latest(platform: Platform, principal: Principal, workspace_id: UUID, kind: PackageKind) -> Package:
    """The active version; `NotFound` is the normal answer while there is none."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = packages.latest(tx, workspace_id, kind)
    if found is None:
        raise NotFound(f"Nothing was uploaded to {kind} of this workspace yet.", code="no_version_yet")
    return found


def get(
    platform: Platform, principal: Principal, workspace_id: UUID, kind: PackageKind, package_id: UUID
) -> Package:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found = packages.get(tx, workspace_id, kind, package_id)
    if found is None:
        raise NotFound(f"There is no {package_id} among the {kind} of this workspace.")
    return found


def page(
    platform: Platform,
    principal: Principal,
    workspace_id: UUID,
    kind: PackageKind,
    query: VersionsQuery,
) -> tuple[list[Package], int, str | None]:
    """Versions, newest first unless sorted otherwise; how many there are; the cursor of the next page."""
    offset = query.offset if query.cursor is None else cursor_offset(query)
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        found, total = packages.page(
            tx,
            workspace_id,
            kind,
            version=query.version,
            order=query.sorted_by,
            limit=query.limit + 1,
            offset=offset,
            cap=TOTAL_CAP,
        )
    has_more = len(found) > query.limit
    return found[: query.limit], total, cursor(query, [offset + query.limit]) if has_more else None


def files(
    platform: Platform, principal: Principal, workspace_id: UUID, kind: PackageKind, package_id: UUID
) -> ManifestFilesResponse:
    """Paths, sizes and digests; never content."""
    package = get(platform, principal, workspace_id, kind, package_id)
    with platform.database.read() as tx:
        found = packages.files(tx, package.id)
    return ManifestFilesResponse(
        files=[
            ManifestFileResponse(
                relative_path=file["relative_path"],
                sha3_256=file["sha3_256"],
                size_bytes=file["size_in_bytes"],
                linkname=file.get("linkname"),
            )
            for file in found
        ]
    )
