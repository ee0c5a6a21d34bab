"""Take in code and configuration: issue an upload, then receive, examine and store it (wire contract §6).

No version exists until the bytes are stored: an upload that breaks off leaves nothing behind.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from homeport.auth import principals, secrets
from homeport.auth.permissions import Permission, live_workspace_for
from homeport.auth.principals import Principal
from homeport.contract import dlt_deployment
from homeport.contract.packages import PackageKind
from homeport.errors import BadRequest, NotAllowed, NotSignedIn
from homeport.execution import archives, configurations
from homeport.operations import auditing
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.retries import read_settings
from homeport.store import packages, people, workspaces
from homeport.store.packages import Contents, Package, Upload
from homeport.store.schema import Tx
from homeport.telemetry import events

_UPLOAD_WITHIN = timedelta(minutes=10)


def issue(platform: Platform, principal: Principal, workspace_id: UUID, kind: PackageKind) -> tuple[UUID, str]:
    """The id that the version will have, and the token for the one upload that makes it."""
    now = platform.clock.now()
    token = secrets.new_token()
    with platform.database.write() as tx:
        live_workspace_for(tx, principal, workspace_id, Permission.WRITE)
        upload = Upload(uuid4(), workspace_id, kind, principal.member_id, now + _UPLOAD_WITHIN, None)
        packages.issue_upload(tx, upload, secrets.hash_of(token), now)
    return upload.id, token


def check_token(platform: Platform, token: str, workspace_id: UUID, kind: PackageKind, package_id: UUID) -> Upload:
    """The upload that the token is good for; asked before a byte is read."""
    now = platform.clock.now()
    with platform.database.read() as tx:
        upload = packages.upload_by_token(tx, secrets.hash_of(token))
    if upload is None:
        raise NotSignedIn("This upload token is not known here.")
    if (upload.workspace_id, upload.kind, upload.id) != (workspace_id, kind, package_id):
        raise NotAllowed("This upload token is for another upload.")
    if upload.used_at is not None:
        raise BadRequest("This upload was made already. Ask for a new one to upload again.", code="upload_used")
    if upload.expires_at <= now:
        raise NotSignedIn("This upload token has expired; start the upload again.", code="token_expired")
    return upload


def receive(
    platform: Platform,
    upload: Upload,
    archive: Path,
    requirements: bytes | None,
    address: str | None = None,
) -> Package:
    """Examine and store an uploaded archive as the workspace's next version."""
    now = platform.clock.now()
    try:
        contents = _examine(platform, upload, archive, requirements)
    except BadRequest as error:
        events.emit(
            events.PACKAGE_REFUSED, workspace=str(upload.workspace_id), kind=upload.kind, why=error.message
        )
        raise
    # stored before the row: a crash here leaves an unused object, never a version without bytes
    platform.blobs.put(upload.workspace_id, upload.kind, contents.archive_sha256, archive)
    with platform.database.write() as tx:
        workspaces.lock(tx, upload.workspace_id)
        if not packages.use_up_upload(tx, upload.id, now):
            raise BadRequest("This upload was made already.", code="upload_used")
        latest = packages.latest(tx, upload.workspace_id, upload.kind)
        package = packages.add_version(tx, upload, contents, now)
        _record(tx, upload, package, address, now)
    events.emit(
        events.PACKAGE_UPLOADED,
        workspace=str(upload.workspace_id),
        kind=upload.kind,
        version=package.version,
        replaces=latest.version if latest else None,
    )
    return package


def _record(tx: Tx, upload: Upload, package: Package, address: str | None, now: datetime) -> None:
    """The one who asked for the upload made it: only they have its token."""
    member = people.member(tx, upload.created_by)
    if member is None:
        raise NotSignedIn("Whoever this upload token was issued to is not here any more.")
    principal = principals.of_upload(member, address)
    what = f"{upload.kind} version {package.version}"
    auditing.record(tx, principal, Action.UPLOAD, what, now, upload.workspace_id, hash=package.content_hash)


def _examine(platform: Platform, upload: Upload, archive: Path, requirements: bytes | None) -> Contents:
    files = archives.examine(archive, platform.settings.max_unpacked_bytes)
    manifest = None
    if upload.kind == "deployments":
        if requirements is None:
            raise BadRequest("The part requirements_file is missing.", code="invalid_upload")
        manifest = dlt_deployment.read_requirements(requirements)
        _check_python(platform, str(manifest["python_version"]))
        # dlt's typed JSON may hold more than JSON can: what is kept must survive the database
        manifest = json.loads(json.dumps(manifest, default=str))
    return Contents(
        content_hash=dlt_deployment.content_hash(files),
        archive_sha256=_digest(archive),
        size_bytes=archive.stat().st_size,
        files=files,
        requirements=manifest,
        requirements_size_bytes=len(requirements or b""),
        job_settings=read_settings(configurations.plain_documents(archive))
        if upload.kind == "configurations"
        else None,
        profiles=_profiles([file["relative_path"] for file in files]),
    )


def _check_python(platform: Platform, version: str) -> None:
    if not platform.offers_python(version):
        raise BadRequest(
            f"This workspace is for Python {version[:20]}, which is not on the machine where runs are, nor can uv "
            f"get it there. Install it (`uv python install {version[:20]}`, with a newer uv if need be), or "
            "deploy from an environment with another Python (`uv python pin`, `uv sync`).",
            code="no_such_python",
        )


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _profiles(paths: Sequence[str]) -> list[str]:
    """Prefixes of `<profile>.config.toml` and `<profile>.secrets.toml` (run contract §2.1)."""
    found = set()
    for path in paths:
        for suffix in (".config.toml", ".secrets.toml"):
            if path.endswith(suffix) and "/" not in path:
                found.add(path.removesuffix(suffix))
    return sorted(found)
