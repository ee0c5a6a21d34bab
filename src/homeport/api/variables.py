"""Variables of a workspace, with a data-plane token (wire contract §8.2)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from homeport.api.asking import ByDataplaneToken
from homeport.contract.base import MAX_NAME_CHARS
from homeport.contract.variables import (
    UpdatedVariablesResponse,
    UpdateWorkspaceVariablesRequest,
    WorkspaceVariablesResponse,
)
from homeport.operations import variables


def list_variables(
    asking: ByDataplaneToken,
    workspace_id: UUID,
    scope_profile: Annotated[str | None, Query(max_length=MAX_NAME_CHARS)] = None,
    is_workspace_scope: bool = False,
) -> WorkspaceVariablesResponse:
    return variables.show(asking.platform, asking.principal, workspace_id, scope_profile, is_workspace_scope)


def change_variables(
    asking: ByDataplaneToken, workspace_id: UUID, request: UpdateWorkspaceVariablesRequest
) -> UpdatedVariablesResponse:
    return variables.change(asking.platform, asking.principal, workspace_id, request)
