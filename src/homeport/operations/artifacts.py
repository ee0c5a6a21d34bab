"""Artifacts of pipelines: runs bring state, schemas and traces, apps get them (`src/homeport_runner/README.md`).

They belong to the profile whose data they tell of: an app under `access` gets what `prod` has loaded, and nothing
of other profiles. Who may ask is an attempt that is alive, for its own workspace and profile.
"""

import hashlib
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

from homeport.contract.runner_protocol import ArtifactsAnswer, KeptArtifacts
from homeport.errors import NotFound, Unavailable
from homeport.execution import artifact_archives
from homeport.execution.launches import data_profile
from homeport.operations.platform import Platform
from homeport.operations.run_attempts import attempt_of, run_of, speaking
from homeport.store import artifacts, workspaces
from homeport.store.artifacts import Artifacts

MOST_PIPELINES = 500
"""Of a profile; pipelines whose names are made up anew in every run must not pile up."""
MOST_BYTES = 512 * 1024 * 1024
"""Of a profile, all archives together."""


def check(platform: Platform, attempt_id: str, session: str, pipeline: str) -> None:
    """Whether an archive would be looked at; asked before a byte of it is read."""
    artifact_archives.check_name(pipeline)
    with platform.database.read() as tx:
        attempt_of(tx, attempt_id, session)


def take_in(
    platform: Platform, attempt_id: str, session: str, pipeline: str, archive: bytes, age_seconds: float
) -> None:
    """Keep a pipeline's artifacts, unless later ones are kept.

    How long ago they were written is all that is known of when: the clock of the runner's machine may be wrong.
    """
    artifact_archives.check_name(pipeline)
    artifact_archives.examine(archive)
    now = platform.clock.now()
    with platform.database.write() as tx:
        attempt = speaking(tx, attempt_id, session, now)
        run = run_of(tx, attempt)
        new = Artifacts(
            workspace_id=run.workspace_id,
            profile=data_profile(run.profile),
            pipeline=pipeline,
            run_id=run.id,
            object=uuid4().hex,
            sha256=hashlib.sha256(archive).hexdigest(),
            size_bytes=len(archive),
            written_at=max(attempt.created_at, now - timedelta(seconds=age_seconds)),
        )
        if not artifacts.is_news(tx, new):
            return
        artifacts.announce(tx, new.workspace_id, new.object, now)
    platform.blobs.put_sealed(new.workspace_id, artifacts.KIND, new.object, archive)
    with platform.database.write() as tx:
        workspaces.lock(tx, new.workspace_id)
        unused = artifacts.keep(tx, new, now)
        unused += artifacts.drop_beyond(tx, new.workspace_id, new.profile, MOST_PIPELINES, MOST_BYTES, now)
    with suppress(Unavailable):  # then pruning does it
        artifacts.delete_strays(platform.database, platform.blobs, new.workspace_id, unused)


def kept(platform: Platform, attempt_id: str, session: str, known: str | None) -> ArtifactsAnswer:
    """What the run may have; asked again and again by the runners of apps, so it only reads."""
    with platform.database.read() as tx:
        run = run_of(tx, attempt_of(tx, attempt_id, session))
        found = artifacts.of_profile(tx, run.workspace_id, data_profile(run.profile))
    etag = hashlib.sha256("".join(item.object for item in found).encode()).hexdigest()
    if etag == known:
        return ArtifactsAnswer(etag=etag, pipelines=None)
    shown = [KeptArtifacts(pipeline=i.pipeline, sha256=i.sha256, size_bytes=i.size_bytes) for i in found]
    return ArtifactsAnswer(etag=etag, pipelines=shown)


def archive_of(platform: Platform, attempt_id: str, session: str, pipeline: str) -> bytes:
    """The artifacts of one pipeline that the run may have."""
    with platform.database.read() as tx:
        run = run_of(tx, attempt_of(tx, attempt_id, session))
        found = artifacts.get(tx, run.workspace_id, data_profile(run.profile), pipeline)
    if found is None:
        raise NotFound(f"No artifacts of a pipeline {pipeline[:80]!r} are kept here.")
    return platform.blobs.get(found.workspace_id, artifacts.KIND, found.object)
