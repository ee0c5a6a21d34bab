"""What the local data of a workspace takes, on every machine that has some."""

from uuid import UUID

from homeport.auth.permissions import Permission, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.storage import StorageItem, WorkspaceStorageResponse
from homeport.operations.platform import Platform
from homeport.store import storage_sizes
from homeport.store.schema import Tx


def show(platform: Platform, principal: Principal, workspace_id: UUID) -> WorkspaceStorageResponse:
    with platform.database.read() as tx:
        workspace_for(tx, principal, workspace_id, Permission.READ)
        return WorkspaceStorageResponse(items=items(tx, workspace_id))


def items(tx: Tx, workspace_id: UUID) -> list[StorageItem]:
    """For somebody who may see the workspace."""
    return [
        StorageItem(
            profile=size.profile,
            host=size.host,
            path=f"node/workspaces/{workspace_id}/{size.profile}",
            size_bytes=size.size_bytes,
            file_count=size.file_count,
            measured_at=size.measured_at,
        )
        for size in storage_sizes.of_workspace(tx, workspace_id)
    ]
