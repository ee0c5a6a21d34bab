"""What a runner may ask of the server (`src/homeport_runner/README.md`): claim, packages, lines, orders, exit.

Every verb but the claim needs the session that the claim gave out. A session whose attempt is over is answered
with `Conflict`: the runner is fenced, kills what it started and leaves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from homeport import bells
from homeport.auth import run_tokens, secrets
from homeport.contract.line_blocks import LineBlock
from homeport.contract.runner_protocol import (
    ClaimRequest,
    ExitRequest,
    Launch,
    LinesAnswer,
    MemoryLaunch,
    WireLine,
)
from homeport.errors import Conflict, NotFound, NotSignedIn
from homeport.execution import configurations, launches
from homeport.logs import writing
from homeport.operations import app_addresses, run_secrets, variables, webhooks
from homeport.operations.platform import Platform
from homeport.scheduling import instances
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import attempts, jobs, log_chunks, packages, run_accounts, run_endings, runs, workspaces
from homeport.store.schema import Tx
from homeport.telemetry import events

_CONTACT_EVERY = timedelta(seconds=5)
"""Far below any lease."""


@dataclass(frozen=True)
class Orders:
    """What a runner must know of the wishes of others."""

    run_id: UUID
    cancel: bool


def claim(platform: Platform, attempt_id: str, request: ClaimRequest) -> Launch:
    """Everything needed to carry out the attempt, for the first runner with the right ticket."""
    now = platform.clock.now()
    session = secrets.new_token()
    with platform.database.write() as tx:
        taken = attempts.claim(
            tx,
            attempt_id,
            secrets.hash_of(request.ticket),
            secrets.hash_of(session),
            request.host,
            request.pid,
            now,
        )
        attempt = attempts.get(tx, attempt_id)
        run = None if attempt is None else runs.get(tx, attempt.run_id)
        if not taken or attempt is None or run is None or run.status != RunStatus.STARTING:
            raise Conflict("This attempt was claimed before, or is not to be run any more.", code="not_yours")
        given = variables.of_run(tx, platform, run.workspace_id, run.profile)
        order, configuration = _order(tx, platform, run, attempt, given)
        order = replace(order, token=_new_token(tx, attempt_id, order, now))
    archive = _configuration_for_runs(platform, configuration, run.profile)
    not_to_be_seen = run_secrets.of_run(platform, run.id, archive, given, order.token)
    return launches.compose(order, session, hashlib.sha256(archive).hexdigest(), not_to_be_seen)


def package(platform: Platform, attempt_id: str, session: str, which: Literal["code", "configuration"]) -> bytes:
    """An archive that the attempt's run is pinned to."""
    with platform.database.write() as tx:
        run = run_of(tx, speaking(tx, attempt_id, session, platform.clock.now()))
        kind = "deployments" if which == "code" else "configurations"
        package_id = run.deployment_id if which == "code" else run.configuration_id
        found = packages.get(tx, run.workspace_id, kind, package_id)
    if found is None:
        raise NotFound(f"The run's {which} is not stored any more.")
    if which == "configuration":
        return _configuration_for_runs(platform, found, run.profile)
    return platform.blobs.get(found.workspace_id, kind, found.archive_sha256)


def _configuration_for_runs(platform: Platform, configuration: packages.Package, profile: str) -> bytes:
    stored = platform.blobs.get(configuration.workspace_id, configuration.kind, configuration.archive_sha256)
    return configurations.for_runs(stored, profile)


def take_lines(
    platform: Platform, attempt_id: str, session: str, first: int, lines: Sequence[WireLine]
) -> LinesAnswer:
    """Keep lines of the log; an empty list is a sign of life."""
    with platform.database.write() as tx:
        attempt = speaking(tx, attempt_id, session, platform.clock.now())
        wanted = writing.append(tx, attempt, first, lines)
        run = run_of(tx, attempt)
    if lines:
        platform.bells.ring(bells.log_of(attempt.run_id))
    return LinesAnswer(next=wanted, cancel=run.status == RunStatus.CANCELLING)


def take_block(platform: Platform, attempt_id: str, session: str, block: LineBlock) -> LinesAnswer:
    """The same with lines that were not taken apart."""
    packed = log_chunks.pack(block.rows)  # before the transaction, which others may wait for
    with platform.database.write() as tx:
        attempt = speaking(tx, attempt_id, session, platform.clock.now())
        wanted = writing.append_block(tx, attempt, block, packed)
        run = run_of(tx, attempt)
    if block.count:
        platform.bells.ring(bells.log_of(attempt.run_id))
    return LinesAnswer(next=wanted, cancel=run.status == RunStatus.CANCELLING)


def orders(platform: Platform, attempt_id: str, session: str) -> Orders:
    """Whether the run is to stop; counts as a sign of life.

    Asked again and again while a runner waits for orders, so it only reads while the last contact is young.
    """
    now = platform.clock.now()
    with platform.database.read() as tx:
        attempt = attempt_of(tx, attempt_id, session)
        run = run_of(tx, attempt)
    if now - attempt.contact_at > _CONTACT_EVERY:
        with platform.database.write() as tx:
            attempts.hear(tx, attempt.id, now)
    return Orders(attempt.run_id, run.status == RunStatus.CANCELLING)


def begin(platform: Platform, attempt_id: str, session: str) -> None:
    """The run's process lives."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        attempt = speaking(tx, attempt_id, session, now)
        if attempts.begin(tx, attempt.id, now):
            # a cancel may have come first: then the run is `cancelling`, and stays so
            runs.apply(tx, attempt.run_id, lifecycle.BEGIN, now)
            runs.set_started(tx, attempt.run_id, now)
    events.emit(events.RUN_STARTED, run=str(attempt.run_id), attempt=attempt_id)
    platform.bells.ring(bells.log_of(attempt.run_id))


def finish(platform: Platform, attempt_id: str, session: str, report: ExitRequest) -> None:
    """End the run as its runner reports; a second report of the same end changes nothing."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        attempt = attempts.of_session(tx, attempt_id, secrets.hash_of(session))
        if attempt is None:
            if attempts.ended_session(tx, attempt_id, secrets.hash_of(session)):
                return  # the answer to the first report got lost
            raise NotSignedIn("This session does not speak for that attempt.")
        run = run_of(tx, attempt)
        if report.lines > attempt.next_line:
            raise Conflict("Lines of the log are missing: send them first.", code="lines_missing")
        detail = report.detail or (run.end_detail if report.cause == "cancelled" else None)
        serves = launches.is_interactive(jobs.version(tx, run.job_version_id).definition)
        status = RunStatus(run.status)
        ending = run_endings.ending_of_exit(status, report.cause, report.exit_code, detail, serves=serves)
        if report.usage is not None:
            ending = replace(ending, usage=attempts.Usage(**report.usage.model_dump()))
        ended = run_endings.end(tx, run.id, ending, now, platform.settings.follow_ups_per_minute)
        if ended is None:
            raise Conflict(f"A run that is {run.status} cannot end as {report.cause}.", code="not_yours")
        if ended.next_attempt is not None:
            writing.add_ending(tx, ended.run, ending.detail, ended.next_attempt, now)
    run_endings.announce(platform.bells, ended)


def speaking(tx: Tx, attempt_id: str, session: str, now: datetime) -> attempts.Attempt:
    """The live attempt that this session speaks for; marks the contact."""
    attempt = attempt_of(tx, attempt_id, session)
    attempts.hear(tx, attempt.id, now)
    return attempt


def attempt_of(tx: Tx, attempt_id: str, session: str) -> attempts.Attempt:
    """The same without marking it, for what is asked again and again."""
    attempt = attempts.of_session(tx, attempt_id, secrets.hash_of(session))
    if attempt is None:
        if attempts.ended_session(tx, attempt_id, secrets.hash_of(session)):
            raise Conflict("This attempt is over.", code="not_yours")
        raise NotSignedIn("This session does not speak for that attempt.")
    return attempt


def run_of(tx: Tx, attempt: attempts.Attempt) -> runs.Run:
    run = runs.get(tx, attempt.run_id)
    assert run is not None
    return run


def _order(
    tx: Tx, platform: Platform, run: runs.Run, attempt: attempts.Attempt, given: variables.VariablesOfRun
) -> tuple[launches.LaunchOrder, packages.Package]:
    """What is to be launched, and the configuration it is launched with."""
    version = jobs.version(tx, run.job_version_id)
    workspace = workspaces.get(tx, run.workspace_id)
    code = packages.get(tx, run.workspace_id, "deployments", run.deployment_id)
    configuration = packages.get(tx, run.workspace_id, "configurations", run.configuration_id)
    assert workspace is not None and code is not None and configuration is not None
    settings = platform.settings
    policy = run_endings.policy_of_run(tx, run)
    base_path, path_note = _path(tx, platform, run, version)
    order = launches.LaunchOrder(
        run_id=run.id,
        workspace_id=workspace.id,
        organization_id=workspace.organization_id,
        workspace_name=workspace.name,
        definition=version.definition,
        requirements=packages.requirements(tx, code.id),
        trigger=run.trigger,
        profile=run.profile,
        refresh=run.refresh,
        interval=(run.interval_start, run.interval_end),
        code_sha256=code.archive_sha256,
        limits=launches.limits_of(
            version.definition, settings.default_timeout_seconds, settings.default_grace_seconds
        ),
        api_url=platform.runner_url,
        lease_seconds=settings.lease_seconds,
        deployed_at=workspace.deployed_at,
        beacon_url=f"{platform.runner_url}/beacon/v1/{run_secrets.beacon_tokens(platform).of_run(run.id)}",
        app_start_seconds=settings.app_start_seconds,
        base_path=base_path,
        carries=policy.may_retry,
        notes=(*_first_lines(tx, run, attempt, policy.attempts), *path_note),
        variables=given.values,
        webhook=webhooks.of_run(tx, platform, run),
        log_limit_bytes=settings.log_limit_bytes or None,
        spool_bytes=settings.log_spool_bytes,
        memory=_memory_limit(run, settings.default_instance),
    )
    return order, configuration


def _new_token(tx: Tx, attempt_id: str, order: launches.LaunchOrder, now: datetime) -> str:
    account = run_accounts.ensure(tx, order.workspace_id, order.organization_id, now)
    token = run_tokens.new(attempt_id, account, now)
    attempts.set_token(tx, attempt_id, secrets.hash_of(token))
    return token


def _memory_limit(run: runs.Run, default: str) -> MemoryLaunch | None:
    """The memory of the run's size, and what to say when that is not enough."""
    size = instances.size_of(run.instance, default)
    if size is None:
        return None
    holder = f"its instance {size.name!r}" + (
        "" if run.instance else ", which is what a job gets that names none,"
    )
    larger = instances.next_larger(size)
    advice = "There is no larger one: load less at once, or in several jobs."
    if larger is not None:
        advice = f'Ask for a larger one in its job: require={{"instance": {{"size": "{larger.name}"}}}}.'
    return MemoryLaunch(limit_bytes=size.memory_bytes, holder=holder, advice=advice)


def _path(
    tx: Tx, platform: Platform, run: runs.Run, version: jobs.JobVersion
) -> tuple[str | None, tuple[str, ...]]:
    """What an app is told of the path that it is served below, and what people are told where it cannot be."""
    current = jobs.get(tx, run.workspace_id, run.job_id) if run.is_app else None
    if current is None or current.job.app_name is None:
        return None, ()
    app = (platform.apps, current.job.app_name, version.definition)
    note = app_addresses.path_note(*app)
    return app_addresses.base_path_for(*app), (note,) if note else ()


def _first_lines(tx: Tx, run: runs.Run, attempt: attempts.Attempt, most: int) -> tuple[str, ...]:
    """Which attempt this is and why, and what the run waited for."""
    lines = []
    if attempt.number > 1:
        before = attempts.of_run(tx, run.id)[-2]
        lines.append(f"Attempt {attempt.number} of {most}, after: {before.end_detail or before.end_cause}")
    if run.waits_for is not None:
        lines.append(f"Waited for {run.waits_for}.")
    return tuple(lines)
