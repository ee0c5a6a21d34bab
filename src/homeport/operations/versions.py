"""Look at versions of code and configuration (wire contract §8.1, §8.2)."""

from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP
from homeport.contract.packages import ManifestFileResponse, ManifestFilesResponse, PackageKind
from homeport.errors import NotFound
from homeport.operations.paging import Slice
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
    slice_: Slice,
    version: int | None,
) -> tuple[list[Package], int]:
    """Versions, newest first."""
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return packages.page(
            tx,
            workspace_id,
            kind,
            version=version,
            limit=slice_.limit,
            offset=slice_.offset,
            cap=TOTAL_CAP,
        )


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
