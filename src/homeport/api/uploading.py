"""Receiving uploads (wire contract §6): the body is counted while it comes in, and never held in memory."""

import tempfile
from pathlib import Path
from uuid import UUID

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from homeport.api.asking import address_of, bearer_of, platform_of
from homeport.contract.packages import ConfigurationResponse, DeploymentResponse, PackageKind
from homeport.errors import BadRequest, TooLarge
from homeport.operations import answers, uploads
from homeport.store.packages import Package

_BLOCK = 1024 * 1024
_MAX_REQUIREMENTS_BYTES = 16 * 1024 * 1024


async def upload_deployment(request: Request, workspace_id: UUID, package_id: UUID) -> DeploymentResponse:
    return answers.deployment(await _upload(request, workspace_id, "deployments", package_id))


async def upload_configuration(request: Request, workspace_id: UUID, package_id: UUID) -> ConfigurationResponse:
    return answers.configuration(await _upload(request, workspace_id, "configurations", package_id))


async def _upload(request: Request, workspace_id: UUID, kind: PackageKind, package_id: UUID) -> Package:
    platform = platform_of(request)
    upload = await run_in_threadpool(
        uploads.check_token, platform, bearer_of(request), workspace_id, kind, package_id
    )
    limit = platform.settings.max_upload_bytes
    counted = Request(request.scope, _counting(request.receive, limit))
    try:
        async with counted.form(max_files=4, max_fields=4) as form:
            part, requirements_part = form.get("file"), form.get("requirements_file")
            if not isinstance(part, UploadFile):
                raise BadRequest("The part `file` with the archive is missing.", code="invalid_upload")
            requirements = None
            if isinstance(requirements_part, UploadFile):
                requirements = await requirements_part.read(_MAX_REQUIREMENTS_BYTES)
            with tempfile.TemporaryDirectory(prefix="upload-", dir=platform.settings.data_dir) as folder:
                archive = Path(folder) / "archive.tar.gz"
                await run_in_threadpool(_copy, part, archive)
                return await run_in_threadpool(
                    uploads.receive, platform, upload, archive, requirements, address_of(request)
                )
    except (MultiPartException, ClientDisconnect) as error:
        raise BadRequest(
            "The upload was cut off or is not a form. Upload it again.", code="invalid_upload"
        ) from error


def _counting(receive: Receive, limit: int) -> Receive:
    """The same body, refused as soon as it is longer than `limit` bytes."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLarge(
                f"The upload is larger than the {limit} bytes that this server takes. Leave data out with "
                ".gitignore, or raise HOMEPORT_MAX_UPLOAD_BYTES.",
                code="upload_too_large",
            )
        return message

    return counted


def _copy(part: UploadFile, target: Path) -> None:
    with target.open("wb") as file:
        while block := part.file.read(_BLOCK):
            file.write(block)
