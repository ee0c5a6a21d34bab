"""Write down what people do, in the transaction that does it; read it; look whether somebody touched it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from homeport.auth.permissions import OrganizationPermission, organization_for
from homeport.auth.principals import Principal
from homeport.contract.base import TOTAL_CAP, Page
from homeport.contract.lists import ListQuery
from homeport.contract.people import AuditEntryResponse
from homeport.operations.paging import page_of
from homeport.operations.platform import Platform
from homeport.store import audit_log, organizations
from homeport.store.audit_log import Entry
from homeport.store.schema import Tx


class Action(StrEnum):
    """What can be read in the log."""

    DEPLOY = "deploy"
    UPLOAD = "upload"
    RUN_START = "run.start"
    RUN_CANCEL = "run.cancel"
    JOB_CHANGE = "job.change"
    """Paused, resumed, archived or unarchived; its app published or unpublished."""
    PUBLIC_LINK = "public_link.change"
    """The public link of an app ends at another time, or asks for another password."""
    SIGN_IN = "sign_in"
    """A browser session was opened."""
    SIGN_OUT = "sign_out"
    LOGIN = "login"
    """The command line was let in."""
    LOGIN_REVOKE = "login.revoke"
    IDENTITY_CONNECT = "identity.connect"
    """An account at an identity provider signs somebody in from now on."""
    PASSWORD_SET = "password.set"  # noqa: S105 - the name of an action
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    WORKSPACE_CREATE = "workspace.create"
    WORKSPACE_CHANGE = "workspace.change"
    WORKSPACE_MEMBER_SET = "workspace_member.set"
    WORKSPACE_MEMBER_REMOVE = "workspace_member.remove"
    MEMBER_ADD = "member.add"
    MEMBER_CHANGE = "member.change"
    MEMBER_REMOVE = "member.remove"
    INVITATION_CREATE = "invitation.create"
    INVITATION_REVOKE = "invitation.revoke"
    VARIABLES_CHANGE = "variables.change"
    MASTER_KEY_ROTATE = "master_key.rotate"
    RESTORE = "restore"
    """The installation was made of a backup."""
    SIGNING_KEY_ROTATE = "signing_key.rotate"
    WEBHOOK_SECRET = "webhook.secret"  # noqa: S105 - the name of an action
    """A job's webhook got a secret, or a new one."""
    CONFIGURATION_DOWNLOAD = "configuration.download"
    """With all the secrets in it."""


def record(
    tx: Tx,
    principal: Principal,
    action: Action,
    target: str,
    now: datetime,
    workspace_id: UUID | None = None,
    **detail: Any,
) -> None:
    """Write down what a principal does. Belongs at the end of the transaction; no secrets in `detail`."""
    if principal.run is not None:
        detail["by_run"] = str(principal.run.run_id)
    entry = Entry(
        organization_id=principal.organization_id,
        at=now,
        actor_id=principal.user_id,
        actor=principal.email,
        via=principal.via,
        address=principal.address,
        action=action.value,
        target=target,
        workspace_id=workspace_id,
        detail=detail,
    )
    audit_log.append(tx, entry)


def record_command(
    tx: Tx, organization_id: UUID, action: Action, target: str, now: datetime, **detail: Any
) -> None:
    """Write down what somebody does with a command on the server's machine."""
    entry = Entry(organization_id, now, None, "on the server", "command", None, action.value, target, None, detail)
    audit_log.append(tx, entry)


def record_for_all(tx: Tx, action: Action, target: str, now: datetime) -> None:
    """Write down what a command on the server changed for the whole installation, in every organization's log."""
    # in one order: two who wait for each other's organization would wait for ever
    for organization_id in organizations.all_ids(tx):
        record_command(tx, organization_id, action, target, now)


def page(
    platform: Platform, principal: Principal, organization_id: UUID, query: ListQuery
) -> Page[AuditEntryResponse]:
    """Entries of an organization, newest first; for its owners."""
    with platform.database.read() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        found, total = audit_log.page(tx, organization_id, limit=query.limit, offset=query.offset, cap=TOTAL_CAP)
    return page_of([AuditEntryResponse.model_validate(row) for row in found], total, query)


def faults(platform: Platform) -> list[str]:
    """What is wrong with the log; nothing, if nobody touched it."""
    with platform.database.read() as tx:
        return list(audit_log.faults(tx))
