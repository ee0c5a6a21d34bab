"""Versions of code and configuration, and their uploads (wire contract §6, §11.2)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from homeport.contract.base import Model

PackageKind = Literal["deployments", "configurations"]


class DeploymentResponse(Model):
    id: UUID
    workspace_id: UUID
    version: int
    """1, 2, 3… per workspace; the highest is the active one."""
    content_hash: str
    file_count: int
    size_bytes: int
    requirements_size_bytes: int
    created_by: UUID
    """Organization membership of the author."""
    created_at: datetime
    updated_at: datetime


class ConfigurationResponse(Model):
    id: UUID
    workspace_id: UUID
    version: int
    content_hash: str
    file_count: int
    size_bytes: int
    profiles: list[str]
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class IssuedDeploymentUpload(Model):
    deployment_id: UUID
    upload_url: str
    upload_token: str


class IssuedConfigurationUpload(Model):
    configuration_id: UUID
    upload_url: str
    upload_token: str


class ManifestFileResponse(Model):
    relative_path: str
    sha3_256: str
    size_bytes: int
    linkname: str | None = None


class ManifestFilesResponse(Model):
    engine_version: int = 1
    files: list[ManifestFileResponse]
