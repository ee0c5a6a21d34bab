"""Invite people into an organization by a link, by mail too where it is set up, and take an invitation up."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from homeport import mail
from homeport.auth import guessing, passwords, secrets
from homeport.auth.permissions import OrganizationPermission, Permission, live_workspace_for, organization_for
from homeport.auth.principals import Principal
from homeport.contract.people import InvitationResponse, InviteRequest, NewInvitationResponse
from homeport.errors import BadRequest, Conflict, NotAllowed, NotFound, Unavailable
from homeport.operations import accounts, auditing, sign_in
from homeport.operations.auditing import Action
from homeport.operations.platform import Platform
from homeport.store import failed_tries, invitations, organizations, people, workspaces
from homeport.store import passwords as stored_passwords
from homeport.store.invitations import Invitation
from homeport.store.schema import Tx
from homeport.telemetry import events

LIFETIME = timedelta(days=7)
MAILS_PER_WINDOW = 30


@dataclass(frozen=True)
class Seen:
    """An invitation as the invited see it."""

    organization: str
    email: str | None
    """Whom it is for; whoever has the link, if none."""
    invited_by: str


def invite(
    platform: Platform, principal: Principal, organization_id: UUID, request: InviteRequest, base_url: str
) -> NewInvitationResponse:
    now, code = platform.clock.now(), secrets.new_token()
    if (request.workspace_id is None) != (request.workspace_role is None):
        raise BadRequest("workspace_id and workspace_role go together: send both or none.")
    invitation = Invitation(
        id=uuid4(),
        organization_id=organization_id,
        email=None if request.email is None else people.normal_email(request.email),
        role=request.role,
        workspace_id=request.workspace_id,
        workspace_role=request.workspace_role,
        created_by=principal.member_id,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    with platform.database.write() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        if invitation.workspace_id is not None:
            live_workspace_for(tx, principal, invitation.workspace_id, Permission.MANAGE)
        if platform.mailer is not None and invitation.email is not None:
            _check_not_too_many(tx, platform, organization_id)
        invitations.add(tx, invitation, secrets.hash_of(code))
        whom = invitation.email or "whoever has the link"
        auditing.record(tx, principal, Action.INVITATION_CREATE, whom, now, role=request.role)
        organization = organizations.get(tx, organization_id)
        assert organization is not None
    shown = InvitationResponse.model_validate(invitation).model_dump()
    url = f"{base_url}/invitation?code={code}"
    # after the transaction: a mail cannot be rolled back, and a slow mail server may hold no lock
    sent = _send(platform, principal, invitation, organization.name, url)
    return NewInvitationResponse(**shown, url=url, mail_sent=sent)


def _check_not_too_many(tx: Tx, platform: Platform, organization_id: UUID) -> None:
    """Nobody has this server write to strangers without end."""
    now, subject = platform.clock.now(), f"mails:{organization_id}"
    why = f"{MAILS_PER_WINDOW} invitations were mailed within {guessing.WINDOW.seconds // 60} minutes."
    way_out = ", or invite without an e-mail and pass the link on yourself"
    guessing.check_share(tx, subject, MAILS_PER_WINDOW, now, why, way_out)
    failed_tries.add(tx, [subject], now)


def _send(platform: Platform, by: Principal, invitation: Invitation, organization: str, url: str) -> bool | None:
    """Whether the mail went out. The invitation is good in any case: whoever made it has the link."""
    if platform.mailer is None or invitation.email is None:
        return None
    inviter, name = mail.one_line(by.name or by.email), mail.one_line(organization)
    text = (
        f"{inviter} invites you to {name} on Homeport, where data pipelines run:\n\n{url}\n\n"
        f"The link is for {invitation.email}, is good once and ends after {LIFETIME.days} days. If you do not "
        "know what this is about, leave it be: nothing happens.\n"
    )
    try:
        platform.mailer.send(invitation.email, f"{inviter} invites you to {name}", text)
    except Unavailable as failed:
        events.emit(events.MAIL_FAILED, invitation=str(invitation.id), why=failed.message)
        return False
    return True


def list_open(platform: Platform, principal: Principal, organization_id: UUID) -> list[InvitationResponse]:
    with platform.database.read() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        found = invitations.open_ones(tx, organization_id, platform.clock.now())
    return [InvitationResponse.model_validate(item) for item in found]


def revoke(platform: Platform, principal: Principal, organization_id: UUID, invitation_id: UUID) -> None:
    now = platform.clock.now()
    with platform.database.write() as tx:
        organization_for(tx, principal, organization_id, OrganizationPermission.MANAGE)
        if not invitations.revoke(tx, organization_id, invitation_id, now):
            raise NotFound(f"There is no open invitation {invitation_id} here.")
        auditing.record(tx, principal, Action.INVITATION_REVOKE, str(invitation_id), now)


def look(platform: Platform, code: str) -> Seen:
    """What a link invites to; `NotFound` when it is not good any more."""
    with platform.database.read() as tx:
        found = _open(tx, platform, code)
        organization = organizations.get(tx, found.organization_id)
        assert organization is not None
        by = people.names_of(tx, {found.created_by})
    return Seen(organization.name, found.email, by[found.created_by])


def accept(platform: Platform, principal: Principal, code: str) -> None:
    """Join, as the person who is signed in."""
    with platform.database.write() as tx:
        invitation = _open(tx, platform, code)
        user = people.user(tx, principal.user_id)
        assert user is not None
        if not principal.is_person or invitation.email not in (None, people.normal_email(user.email)):
            raise NotAllowed(
                f"This invitation is for {invitation.email}, and you are signed in as {user.email}. Sign out and "
                "open the link again."
            )
        _join(tx, platform, invitation, user, principal.address)


def are_open_for(tx: Tx, platform: Platform, email: str) -> bool:
    """Whether somebody invited this address."""
    return bool(invitations.open_for(tx, email, platform.clock.now()))


def take_up_all(tx: Tx, platform: Platform, user: people.User, address: str | None) -> None:
    """Join wherever this address is invited. Only for somebody who has just proven that it is theirs."""
    for invitation in invitations.open_for(tx, user.email, platform.clock.now()):
        _join(tx, platform, invitation, user, address)


def accept_as_new(platform: Platform, code: str, email: str, name: str, password: str, address: str | None) -> str:
    """Join, as somebody who was not here before; the answer is their browser session."""
    hash_ = passwords.hash_of(passwords.check_form(password))
    now = platform.clock.now()
    with platform.database.write() as tx:
        invitation = _open(tx, platform, code)
        email = accounts.checked_email(invitation.email or email)
        if people.user_by_email(tx, email) is not None:
            raise Conflict(f"There is an account of {email} already. Sign in, and open the link again.")
        user = people.create_user(tx, email, name.strip()[:200] or None, now)
        stored_passwords.put(tx, user.id, hash_, now)
        member = _join(tx, platform, invitation, user, address)
        return sign_in.open_session(tx, sign_in.as_principal(member, address), "invitation", now)


def _open(tx: Tx, platform: Platform, code: str) -> Invitation:
    found = invitations.find(tx, secrets.hash_of(code), platform.clock.now())
    if found is None:
        raise NotFound("This invitation was used, taken back or has expired. Ask for a new one.")
    return found


def _join(
    tx: Tx, platform: Platform, invitation: Invitation, user: people.User, address: str | None
) -> people.Member:
    now = platform.clock.now()
    if not invitations.use_up(tx, invitation.id, now):
        raise Conflict("Somebody else has just used this invitation. Ask for a new one.")
    member = people.membership(tx, invitation.organization_id, user.id)
    if member is None:  # who is in already keeps their role there
        member = people.join(tx, user, invitation.organization_id, invitation.role, now)
    if invitation.workspace_id is not None and invitation.workspace_role is not None:
        workspaces.set_member(tx, invitation.workspace_id, member.id, invitation.workspace_role, now)
    principal = sign_in.as_principal(member, address)
    auditing.record(tx, principal, Action.MEMBER_ADD, user.email, now, role=member.role, by="invitation")
    return member
