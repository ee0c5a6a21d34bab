"""What the local data of a workspace takes. Homeport's own."""

from datetime import datetime

from homeport.contract.base import Model


class StorageItem(Model):
    """The local data of one profile on one machine."""

    profile: str
    host: str
    """The machine."""
    path: str
    """Below the data folder of the server there."""
    size_bytes: int
    file_count: int
    measured_at: datetime
    """When that was so; it is looked at every few minutes."""


class WorkspaceStorageResponse(Model):
    items: list[StorageItem]
    """None where no run has left anything."""
