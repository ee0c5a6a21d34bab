"""Contents of versions (docs/api.md): `GET …/deployments/{id}/-download`, and the same for configurations."""

from uuid import UUID

from fastapi.responses import StreamingResponse

from homeport.api.asking import ByKey
from homeport.contract.packages import PackageKind
from homeport.operations import version_contents


def download_deployment(asking: ByKey, workspace_id: UUID, package_id: UUID) -> StreamingResponse:
    """The code of a version, as a gzipped tar."""
    return _download(asking, workspace_id, "deployments", package_id)


def download_configuration(asking: ByKey, workspace_id: UUID, package_id: UUID) -> StreamingResponse:
    """The configuration of a version, as a gzipped tar, for owners of the workspace."""
    return _download(asking, workspace_id, "configurations", package_id)


def _download(asking: ByKey, workspace_id: UUID, kind: PackageKind, package_id: UUID) -> StreamingResponse:
    found = version_contents.download(asking.platform, asking.principal, workspace_id, kind, package_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.file_name}"',
        "Content-Length": str(found.size_bytes),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(found.pieces, media_type="application/gzip", headers=headers)
