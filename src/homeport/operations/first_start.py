"""The first start: an organization, its owner, a workspace, a key and a sign-in link; nothing is asked.

Later starts find all that and change nothing, except that a bootstrap key given now is accepted from now on.
"""

from dataclasses import dataclass
from datetime import datetime

from homeport.auth import secrets
from homeport.operations import sign_in
from homeport.operations.platform import Platform
from homeport.store import credentials, organizations, people, workspaces
from homeport.store.schema import Tx


@dataclass(frozen=True)
class FirstStart:
    """What is shown once."""

    api_key: str | None
    """None when the key came from the environment: whoever set it knows it."""
    sign_in_code: str
    workspace: workspaces.Workspace


def ensure(platform: Platform) -> FirstStart | None:
    """Prepare an installation that is empty; none when it was not."""
    now = platform.clock.now()
    given = platform.settings.bootstrap_api_key
    if given is not None:
        secrets.check_api_key_form(given)
    with platform.database.write() as tx:
        organization = organizations.first(tx)
        if organization is not None:
            if given is not None:
                _accept_key(tx, given, people.first_owner(tx, organization.id), now)
            return None
        organization = organizations.create(tx, platform.settings.organization_name, now)
        owner = people.create_member(tx, organization.id, platform.settings.owner_email, "owner", now)
        workspace = workspaces.create(tx, organization.id, platform.settings.workspace_name, None, owner.id, now)
        api_key = given or secrets.new_api_key()
        _accept_key(tx, api_key, owner, now)
        code = sign_in.issue_sign_in_code(tx, owner.id, now)
    return FirstStart(None if given else api_key, code, workspace)


def _accept_key(tx: Tx, api_key: str, owner: people.Member, now: datetime) -> None:
    hash_ = secrets.hash_of(api_key)
    if not credentials.is_known(tx, hash_):  # one that was revoked stays revoked
        credentials.add(tx, "api_key", hash_, owner.id, "first key", now, None)
