"""Where a person is at home: who is in no organization gets one of their own, with a workspace to play in."""

from datetime import datetime

from homeport.auth.principals import Principal
from homeport.contract.identity import MeResponse, OrganizationMembershipResponse
from homeport.errors import NotSignedIn
from homeport.operations import answers
from homeport.operations.platform import Platform
from homeport.store import organizations, people, workspaces
from homeport.store.schema import Tx

_PLAYGROUND = "playground"


def ensure(tx: Tx, user: people.User, now: datetime) -> people.Member:
    """The person's first membership, in an organization of their own if there was none."""
    homes = people.memberships_of(tx, user.id)
    if homes:
        return homes[0]
    organization = organizations.create(tx, user.name or user.email.partition("@")[0], now)
    member = people.join(tx, user, organization.id, "owner", now)
    workspaces.create(tx, organization.id, _PLAYGROUND, None, member.id, now, is_playground=True)
    return member


def me(platform: Platform, principal: Principal, base_url: str) -> MeResponse:
    """Who asks, and their organizations (wire contract §8.1)."""
    with platform.database.read() as tx:
        memberships = people.memberships_of(tx, principal.user_id)
        if not memberships:
            raise NotSignedIn
        found = {item.id: organizations.get(tx, item.organization_id) for item in memberships}
        first = memberships[0]
        usable, _ = workspaces.of_organization(
            tx, first.organization_id, include_archived=False, limit=1, offset=0, cap=1
        )
    with_organization = [(item, answers.organization(org)) for item in memberships if (org := found[item.id])]
    primary = with_organization[0][1]
    return MeResponse(
        user_id=first.user_id,
        email=first.email,
        name=first.name,
        organization_membership_id=first.id,
        primary_organization=primary,
        latest_organization=primary,
        latest_workspace=answers.workspace(usable[0], base_url) if usable else None,
        organization_memberships=[
            OrganizationMembershipResponse(id=item.id, organization=organization, role=item.role)  # type: ignore[arg-type]
            for item, organization in with_organization
        ],
    )
