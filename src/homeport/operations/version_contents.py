"""The contents of a version of code or configuration, for those who may have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.packages import PackageKind
from homeport.errors import NotFound
from homeport.execution import configurations
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import packages
from homeport.store.packages import Package

_NEEDED: dict[PackageKind, Permission] = {
    "deployments": Permission.READ,
    "configurations": Permission.MANAGE,  # it holds secrets
}


@dataclass(frozen=True)
class Download:
    """An archive on its way out."""

    file_name: str
    pieces: Iterator[bytes]
    size_bytes: int


def download(
    platform: Platform, principal: Principal, workspace_id: UUID, kind: PackageKind, package_id: UUID
) -> Download:
    """The archive as it was uploaded; a configuration without the credentials of who uploaded it.

    Those stay theirs: with them, an owner of this workspace could act as the person everywhere.
    """
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, _NEEDED[kind])
        package = packages.get(tx, workspace_id, kind, package_id)
    if package is None:
        raise NotFound(f"There is no {package_id} among the {kind} of this workspace.")
    name = f"{kind.removesuffix('s')}-{package.version}.tar.gz"
    if kind == "configurations":
        archive = _configuration(platform, principal, package)
        return Download(name, iter([archive]), len(archive))
    pieces = platform.blobs.stream(workspace_id, kind, package.archive_sha256)
    return Download(name, pieces, package.size_bytes)


def _configuration(platform: Platform, principal: Principal, package: Package) -> bytes:
    archive = platform.blobs.get(package.workspace_id, package.kind, package.archive_sha256)
    with platform.database.write() as tx:
        now, what = platform.clock.now(), f"version {package.version}"
        auditing.record(tx, principal, Action.CONFIGURATION_DOWNLOAD, what, now, package.workspace_id)
    return configurations.for_runs(archive)
