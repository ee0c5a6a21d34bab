"""Rename, describe, archive and unarchive a workspace (wire contract §8.1, platform behaviour A18.4)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from homeport import bells
from homeport.auth.permissions import Permission, live_workspace_for, workspace_for
from homeport.auth.principals import Principal
from homeport.contract.identity import UpdateWorkspaceRequest, WorkspaceResponse
from homeport.errors import BadRequest, Conflict
from homeport.operations import answers, auditing, job_schedules
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.scheduling.run_lifecycle import ACTIVE
from homeport.scheduling.start_decision import TriggerStatus
from homeport.store import jobs, run_lists, workspaces
from homeport.store.schema import Tx
from homeport.store.workspaces import Workspace
from homeport.telemetry import events

_MAX_NAME_CHARS = 100


def update(
    platform: Platform, principal: Principal, workspace_id: UUID, request: UpdateWorkspaceRequest, base_url: str
) -> WorkspaceResponse:
    """Change what the request names; what it leaves out stays, and a description of null is cleared."""
    now = platform.clock.now()
    wanted = {name: getattr(request, name) for name in request.model_fields_set}
    with platform.database.write() as tx:
        before = _locked(tx, principal, workspace_id)
        _refuse_playground(before, "renamed")
        live_workspace_for(tx, principal, workspace_id, Permission.MANAGE)
        changes = {name: value for name, value in _checked(wanted).items() if value != getattr(before, name)}
        if changes:
            workspaces.change(tx, workspace_id, now, **changes)
            auditing.record(
                tx, principal, Action.WORKSPACE_CHANGE, before.name, now, workspace_id, changed=sorted(changes)
            )
        return _answer(tx, principal, workspace_id, base_url)


def archive(platform: Platform, principal: Principal, workspace_id: UUID, base_url: str) -> WorkspaceResponse:
    """Put the workspace away: no schedule fires, and nothing in it can be changed but this."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        before = _locked(tx, principal, workspace_id)
        _refuse_playground(before, "archived")
        if before.archived_at is not None:
            raise Conflict(f"The workspace {before.name!r} is archived already.", code="workspace_archived")
        live = [current for current in jobs.all_current(tx, workspace_id) if current.job.archived_at is None]
        for current in sorted(live, key=lambda item: item.job.id):
            # whoever starts one of its jobs right now is waited for, and then found below
            jobs.lock(tx, current.job.id)
        _refuse_while_active(tx, before)
        for current in live:
            job_schedules.take_down(tx, current.job, now, TriggerStatus.SKIPPED_WORKSPACE_ARCHIVED)
        workspaces.change(tx, workspace_id, now, archived_at=now)
        _record(tx, principal, before, now, archived=True)
        answer = _answer(tx, principal, workspace_id, base_url)
    _tell(platform, workspace_id, is_archived=True)
    return answer


def unarchive(platform: Platform, principal: Principal, workspace_id: UUID, base_url: str) -> WorkspaceResponse:
    """Bring the workspace back; its schedules go on from now."""
    now = platform.clock.now()
    with platform.database.write() as tx:
        before = _locked(tx, principal, workspace_id)
        _refuse_playground(before, "archived or unarchived")
        if before.archived_at is None:
            raise Conflict(f"The workspace {before.name!r} is not archived.", code="workspace_not_archived")
        workspaces.change(tx, workspace_id, now, archived_at=None)
        for current in jobs.all_current(tx, workspace_id):
            if current.job.archived_at is None:
                job_schedules.set_up(tx, current, now)
        _record(tx, principal, before, now, archived=False)
        answer = _answer(tx, principal, workspace_id, base_url)
    _tell(platform, workspace_id, is_archived=False)
    return answer


def _locked(tx: Tx, principal: Principal, workspace_id: UUID) -> Workspace:
    """The workspace as it is once nobody else changes it."""
    workspace_for(tx, principal, workspace_id, Permission.MANAGE)
    workspaces.lock(tx, workspace_id)
    return workspace_for(tx, principal, workspace_id, Permission.MANAGE)


def _checked(wanted: dict[str, Any]) -> dict[str, Any]:
    if "name" in wanted:
        name = (wanted["name"] or "").strip()
        if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable():
            raise BadRequest(f"A workspace's name has 1 to {_MAX_NAME_CHARS} printable characters.")
        wanted["name"] = name
    return wanted


def _refuse_playground(workspace: Workspace, what: str) -> None:
    if workspace.is_playground:
        raise BadRequest(
            f"{workspace.name!r} is somebody's playground, which cannot be {what}; create another workspace.",
            code="playground",
        )


def _refuse_while_active(tx: Tx, workspace: Workspace) -> None:
    active = run_lists.count(
        tx, workspace.id, run_lists.Filters(statuses=[str(status) for status in ACTIVE]), cap=100
    )
    if active:
        raise Conflict(
            f"{active} runs of {workspace.name!r} are not over yet; cancel them or wait, then archive.",
            code="runs_active",
        )


def _record(tx: Tx, principal: Principal, workspace: Workspace, now: datetime, *, archived: bool) -> None:
    auditing.record(
        tx,
        principal,
        Action.WORKSPACE_CHANGE,
        workspace.name,
        now,
        workspace.id,
        changed=["archived"],
        to=archived,
    )


def _answer(tx: Tx, principal: Principal, workspace_id: UUID, base_url: str) -> WorkspaceResponse:
    return answers.workspace(workspace_for(tx, principal, workspace_id, Permission.MANAGE), base_url)


def _tell(platform: Platform, workspace_id: UUID, *, is_archived: bool) -> None:
    events.emit(events.WORKSPACE_CHANGED, workspace=str(workspace_id), is_archived=is_archived)
    platform.bells.ring(bells.SCHEDULES_CHANGED)
