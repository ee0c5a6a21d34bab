"""Variables of a workspace, with a data-plane token (wire contract §8.2)."""

from uuid import UUID

from homeport.api.asking import ByDataplaneToken
from homeport.contract.variables import (
    UpdatedVariablesResponse,
    UpdateWorkspaceVariablesRequest,
    WorkspaceVariablesResponse,
)
from homeport.operations import variables


def list_variables(
    asking: ByDataplaneToken,
    workspace_id: UUID,
    scope_profile: str | None = None,
    is_workspace_scope: bool = False,
) -> WorkspaceVariablesResponse:
    return variables.show(asking.platform, asking.principal, workspace_id, scope_profile, is_workspace_scope)


def change_variables(
    asking: ByDataplaneToken, workspace_id: UUID, request: UpdateWorkspaceVariablesRequest
) -> UpdatedVariablesResponse:
    return variables.change(asking.platform, asking.principal, workspace_id, request)
