"""Who may use an app, what stands behind its address, and starting it when somebody comes.

member     signed in on the main pages, and let in here with a one-use code that is swapped for a session
key        an API key or access token in a request's Authorization: programs, MCP clients
guest      came by the public link
nobody     is sent to sign in
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from homeport import bells
from homeport.auth import guessing, passwords, principals, secrets
from homeport.auth.permissions import Permission, may_start, role_in, workspace_for
from homeport.auth.principals import Place, Principal
from homeport.contract import dlt_deployment
from homeport.errors import HomeportError, NotAllowed, NotFound, NotSignedIn
from homeport.logs import reading
from homeport.operations import sign_in
from homeport.operations.platform import Platform
from homeport.scheduling import run_lifecycle as lifecycle
from homeport.scheduling.run_lifecycle import RunStatus
from homeport.store import (
    app_passes,
    apps,
    attempts,
    credentials,
    jobs,
    packages,
    people,
    run_starts,
    runs,
    workspaces,
)
from homeport.store.app_passes import Pass
from homeport.store.schema import Tx
from homeport.telemetry import events

CODE_LIFETIME = timedelta(seconds=60)
SESSION_LIFETIME = timedelta(hours=12)
"""Of a session in one app; a new one is had without a word as long as one is signed in on the main pages."""
_LINES_SHOWN = 30

NO_APP = (
    "There is no app at this address. It may be mistyped, or the app was taken down: its job is no longer part of "
    "what is deployed, or its job or workspace was archived. Whoever looks after it can bring it back."
)
_DEAD_LINK = "This link leads nowhere: it was taken back, replaced by a newer one, or has ended."


@dataclass(frozen=True)
class Visitor:
    """Somebody who is let in to one app."""

    kind: Literal["member", "guest"]
    email: str = ""
    user_id: UUID | None = None
    role: str = ""
    member_id: UUID | None = None
    starts: bool = False
    """May start the app."""

    @property
    def sees_log(self) -> bool:
        return self.kind == "member"


@dataclass(frozen=True)
class Shown:
    """What somebody shows to be let in; each may be missing."""

    session: str | None = None
    """The app's own cookie."""
    bearer: str | None = None
    """Authorization of the request."""
    link: str | None = None
    """The cookie that a public link gave."""


@dataclass(frozen=True)
class AppState:
    """What stands behind an address now."""

    job_id: UUID
    workspace_id: UUID
    job_ref: str
    title: str
    run_id: UUID | None
    """Of the newest run."""
    run_status: str | None
    waits_for: str | None
    """What a run that has not been started waits for."""
    end_detail: str | None
    has_served: bool
    """The newest run got so far that its app answered."""
    is_current: bool
    """The newest run has the code, configuration and definition that a new one would have."""
    knows_base_path: bool
    """Its addresses keep the path that they begin with."""
    is_dashboard: bool = False
    """The one that comes with dlt."""

    @property
    def is_serving(self) -> bool:
        return self.run_status == RunStatus.RUNNING

    @property
    def has_failed(self) -> bool:
        """As it is now: what was deployed since may be better."""
        return self.run_status == RunStatus.FAILED and self.is_current


def look(platform: Platform, name: str) -> AppState:
    """What is behind a name; `NotFound` for one that is nobody's, or is put away."""
    with platform.database.read() as tx:
        current, _ = _app(tx, name)
        return _state(tx, current)


def admit(platform: Platform, name: str, shown: Shown, address: str | None) -> tuple[AppState, Visitor | None]:
    """The app, and as whom somebody may use it; nobody where nothing that is shown counts. `NotAllowed` for those
    who are known but not here."""
    now = platform.clock.now()
    principal = _by_bearer(platform, name, shown.bearer, address)
    with platform.database.read() as tx:
        current, workspace = _app(tx, name)
        state = _state(tx, current)
        if principal is None and shown.session:
            principal = _by_session(tx, current.job.id, shown.session, now)
        visitor = None if principal is None else _as_member(tx, principal, workspace, current)
        if visitor is None and shown.link and _opens(platform, tx, current.job, shown.link, now):
            visitor = Visitor("guest", starts=True)
        if visitor is None and principal is not None:
            raise NotAllowed("You are signed in, but not in the workspace of this app. Ask its owner for access.")
    return state, visitor


def issue_code(platform: Platform, principal: Principal, name: str) -> str:
    """A code that lets the person's browser into the app once, soon (they are signed in on the main pages)."""
    now, code = platform.clock.now(), secrets.new_token()
    session = principal.credential_id
    if session is None:
        raise NotSignedIn
    with platform.database.write() as tx:
        current, workspace = _app(tx, name)
        member = people.membership(tx, workspace.organization_id, principal.user_id)
        if member is not None:
            principal = principals.as_member(principal, member)
        workspace_for(tx, principal, workspace.id, Permission.READ)
        app_passes.add(
            tx,
            Pass(
                secrets.hash_of(code),
                "code",
                current.job.id,
                principal.member_id,
                session,
                now,
                now + CODE_LIFETIME,
            ),
        )
    return code


def enter(platform: Platform, name: str, code: str) -> str:
    """A session in the app for a code; the answer is the cookie's value."""
    now, value = platform.clock.now(), secrets.new_token()
    with platform.database.write() as tx:
        current, _ = _app(tx, name)
        found = app_passes.use_up(tx, secrets.hash_of(code), current.job.id, now)
        if found is None or not credentials.is_good(tx, found.credential_id, now):
            raise NotSignedIn
        expires_at = now + SESSION_LIFETIME
        issued = Pass(
            secrets.hash_of(value), "session", found.job_id, found.member_id, found.credential_id, now, expires_at
        )
        app_passes.add(tx, issued)
    return value


def workspace_of(platform: Platform, name: str) -> UUID:
    """The workspace whose app has a name."""
    with platform.database.read() as tx:
        return _app(tx, name)[1].id


def address_of_link(platform: Platform, secret: UUID) -> str:
    """The name of the app that a public link leads to."""
    with platform.database.read() as tx:
        found = jobs.published(tx, secret)
        if found is None or found.job.app_name is None:
            raise NotFound(_DEAD_LINK)
        try:
            _app(tx, found.job.app_name)
        except NotFound:
            raise NotFound(_DEAD_LINK) from None
        if _has_ended(tx, found.job, platform.clock.now()):
            raise NotFound(_DEAD_LINK)
    return found.job.app_name


def wants_password(platform: Platform, name: str, secret: str) -> bool:
    """Whether the link asks for a password; `NotFound` where it leads nowhere."""
    with platform.database.read() as tx:
        link = _link(platform, tx, name, secret)
    return link.password_hash is not None


def follow_link(platform: Platform, name: str, secret: str, password: str = "", address: str | None = None) -> str:
    """Let somebody in who has the link; the answer is the cookie's value, good as long as the link is."""
    with platform.database.read() as tx:
        link = _link(platform, tx, name, secret)
    if link.password_hash is not None:
        _check_password(platform, link, password, address)
    with platform.database.write() as tx:
        current, _ = _app(tx, name)
        # of two who open it first, one writes its row
        current = jobs.lock(tx, current.job.id)
        if current.job.public_secret != link.public_secret:
            raise NotFound(_DEAD_LINK)
        apps.count_view(tx, current.job)
    return _link_pass(platform, link)


def _check_password(platform: Platform, link: apps.Link, password: str, address: str | None) -> None:
    with platform.database.write() as tx:
        account = f"link {link.public_secret}"
        trying = guessing.begin(tx, account, address, platform.clock.now(), what="this link")
    if not passwords.is_right(password, link.password_hash):
        raise NotSignedIn("That is not the password of this link.", code="wrong_password")
    with platform.database.write() as tx:
        guessing.was_right(tx, trying)


def wake(platform: Platform, name: str, visitor: Visitor, *, again: bool = False) -> None:
    """See to it that the app is on its way with the newest code. Asked twice, or by two at once, it starts once.

    A run of older code is asked to stop; the one after it starts at the next look. What has failed as it is now is
    started `again` only, or those who wait for it would start it for ever. Raises what keeps it from starting, in
    words for people.
    """
    now = platform.clock.now()
    started: runs.Run | None = None
    stopping: UUID | None = None
    with platform.database.write() as tx:
        current, _ = _app(tx, name)
        current = jobs.lock(tx, current.job.id)
        active = runs.active_of(tx, current.job.id)
        if active:
            newest = active[-1]
            if newest.status == RunStatus.RUNNING and not _is_current(tx, current, newest):
                stopping = newest.id
                detail = "stopped: newer code or configuration was deployed"
                grace = timedelta(seconds=platform.settings.default_grace_seconds)
                runs.apply(tx, newest.id, lifecycle.ASK_CANCEL, now, cancel_by=now + grace, end_detail=detail)
        elif again or not _has_failed(tx, current):
            if not visitor.starts:
                raise NotAllowed(
                    "This app is not running, and your role may not start it. Ask a developer of its workspace to."
                )
            trigger = current.version.default_trigger or f"manual:{current.job.job_ref}"
            asked = run_starts.Asked(current.job.id, trigger, now, triggered_by=visitor.member_id)
            outcome = run_starts.start(tx, asked)
            if isinstance(outcome, run_starts.Declined):
                raise HomeportError(f"The app cannot be started: {'; '.join(outcome.reasons)}.")
            assert isinstance(outcome, runs.Run)
            started = outcome
    if stopping is not None:
        platform.bells.ring(bells.orders_for(stopping), bells.log_of(stopping))
    if started is not None:
        events.emit(events.RUN_CREATED, run=str(started.id), trigger=started.trigger, number=started.number)
        platform.bells.ring(bells.RUNS_PENDING)


def last_lines(platform: Platform, run_id: UUID) -> list[str]:
    """The end of a run's log, as it is now."""
    with platform.database.read() as tx:
        total = sum(attempt.next_line for attempt in attempts.of_run(tx, run_id))
    piece = reading.read(platform.database, platform.blobs, run_id, max(0, total - _LINES_SHOWN))
    return [line.content for line in piece.lines if line.source != "runner"]


def note_use(platform: Platform, job_id: UUID) -> None:
    """The app is in use: it does not stop for being idle."""
    with platform.database.write() as tx:
        apps.note_use(tx, job_id, platform.clock.now())


def serves(platform: Platform, attempt_id: str, session: str) -> UUID:
    """The run whose visitors a runner's link is for; says no to whoever else asks."""
    with platform.database.read() as tx:
        attempt = attempts.of_session(tx, attempt_id, secrets.hash_of(session))
    if attempt is None:
        raise NotSignedIn
    return attempt.run_id


def _app(tx: Tx, name: str) -> tuple[jobs.CurrentJob, workspaces.Workspace]:
    current = apps.job_of_name(tx, name)
    workspace = None if current is None else workspaces.get(tx, current.job.workspace_id)
    if (
        current is None
        or workspace is None
        or current.job.archived_at is not None
        or workspace.archived_at is not None
        or current.version.job_type != "interactive"
    ):
        raise NotFound(NO_APP)
    return current, workspace


def _state(tx: Tx, current: jobs.CurrentJob) -> AppState:
    active = runs.active_of(tx, current.job.id)
    run = active[-1] if active else runs.latest_of(tx, [current.job.id]).get(current.job.id)
    return AppState(
        job_id=current.job.id,
        workspace_id=current.job.workspace_id,
        job_ref=current.job.job_ref,
        title=dlt_deployment.label(current.version.definition),
        run_id=None if run is None else run.id,
        run_status=None if run is None else run.status,
        waits_for=run.waits_for if run is not None and run.status == RunStatus.PENDING else None,
        end_detail=None if run is None else run.end_detail,
        has_served=run is not None and run.started_at is not None,
        is_current=run is not None and _is_current(tx, current, run),
        knows_base_path=_launcher(current) in ("marimo", "streamlit"),
        is_dashboard=_launcher(current) == "dashboard",
    )


def _has_failed(tx: Tx, current: jobs.CurrentJob) -> bool:
    """What a run would do now, the newest one has tried in vain."""
    newest = runs.latest_of(tx, [current.job.id]).get(current.job.id)
    return newest is not None and newest.status == RunStatus.FAILED and _is_current(tx, current, newest)


def _launcher(current: jobs.CurrentJob) -> str:
    return dlt_deployment.launcher_of(current.version.definition).rpartition(".")[2]


def _is_current(tx: Tx, current: jobs.CurrentJob, run: runs.Run) -> bool:
    pins = (run.job_version_id, run.deployment_id, run.configuration_id)
    code = packages.latest(tx, current.job.workspace_id, "deployments")
    configuration = packages.latest(tx, current.job.workspace_id, "configurations")
    return pins == (current.version.id, code and code.id, configuration and configuration.id)


def _by_bearer(platform: Platform, name: str, value: str | None, address: str | None) -> Principal | None:
    """Whose credential of ours it is; none for what apps themselves may take for one."""
    if not value:
        return None
    try:
        place = Place(workspace_id=workspace_of(platform, name))
        return sign_in.by_bearer(platform, value, place, address)
    except (NotSignedIn, NotAllowed):
        return None


def _by_session(tx: Tx, job_id: UUID, value: str, now: datetime) -> Principal | None:
    found = app_passes.find(tx, "session", secrets.hash_of(value), job_id, now)
    if found is None or not credentials.is_good(tx, found.credential_id, now):
        return None
    member = people.member(tx, found.member_id)
    return None if member is None else sign_in.as_principal(member, None)


def _as_member(
    tx: Tx, principal: Principal, workspace: workspaces.Workspace, current: jobs.CurrentJob
) -> Visitor | None:
    role = role_in(tx, principal, workspace)
    if role is None:
        return None
    version = current.version
    return Visitor(
        "member",
        principal.email,
        principal.user_id,
        role,
        principal.member_id,
        may_start(role, version.definition, version.profile, is_own_profile=True),
    )


def _link(platform: Platform, tx: Tx, name: str, secret: str) -> apps.Link:
    current, _ = _app(tx, name)
    link = apps.link_of(tx, current.job)
    if (
        link is None
        or not hmac.compare_digest(str(link.public_secret).encode(), secret.lower().encode())
        or _has_ended(tx, current.job, platform.clock.now())
    ):
        raise NotFound(_DEAD_LINK)
    return link


def _has_ended(tx: Tx, job: jobs.Job, now: datetime) -> bool:
    link = apps.link_of(tx, job)
    return link is None or (link.expires_at is not None and link.expires_at <= now)


def _opens(platform: Platform, tx: Tx, job: jobs.Job, shown: str, now: datetime) -> bool:
    """Whether a guest's cookie is of the link as it is now, not of one that was revoked or has changed."""
    link = apps.link_of(tx, job)
    if link is None or _has_ended(tx, job, now):
        return False
    return hmac.compare_digest(_link_pass(platform, link).encode(), shown.encode())


def _link_pass(platform: Platform, link: apps.Link) -> str:
    key = secrets.derive(platform.vault.master_key, "public links of apps")
    text = f"{link.job_id} {link.public_secret} {link.password_hash or ''}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()
