"""Variables and keys on a small world; the last scenes have a real server, with the pieces of tests/acceptance."""

from collections.abc import Mapping
from typing import Any

import pytest

from homeport.auth.principals import Principal
from homeport.contract.variables import (
    UpdatedVariablesResponse,
    UpdateWorkspaceVariablesRequest,
    WorkspaceVariablesResponse,
)
from homeport.operations import variables

from ..acceptance.conftest import environment, environments, new_workspace, own_server
from ..world import World

__all__ = ["environment", "environments", "new_workspace", "own_server"]


class Variables:
    """Reads and changes the variables of a world's workspace, as Alice unless somebody else is given."""

    def __init__(self, world: World) -> None:
        self._world = world

    def change(
        self,
        plain: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
        deletes: tuple[str, ...] = (),
        profile: str | None = None,
        by: Principal | None = None,
    ) -> dict[str, str]:
        """Name to what became of it."""
        upserts = [
            *({"type": "plain", "name": name, "value": value} for name, value in (plain or {}).items()),
            *({"type": "secret", "name": name, "value": value} for name, value in (secret or {}).items()),
        ]
        return self.ask({"profile": profile, "upserts": upserts, "deletes": list(deletes)}, by)

    def ask(self, request: Mapping[str, Any], by: Principal | None = None) -> dict[str, str]:
        world = self._world
        asked = UpdateWorkspaceVariablesRequest.model_validate(request)
        answer: UpdatedVariablesResponse = variables.change(
            world.platform, by or world.alice, world.workspace.id, asked
        )
        return {result.name: result.status for result in answer.results}

    def show(
        self, profile: str | None = None, is_workspace_scope: bool = False, by: Principal | None = None
    ) -> WorkspaceVariablesResponse:
        world = self._world
        return variables.show(world.platform, by or world.alice, world.workspace.id, profile, is_workspace_scope)

    def values(self) -> dict[tuple[str | None, str], str | None]:
        """Everything that can be seen."""
        return {(scope.profile, item.name): item.value for scope in self.show().scopes for item in scope.variables}

    def of_run(self, profile: str = "prod") -> dict[str, str]:
        """What a run gets."""
        with self._world.database.read() as tx:
            return variables.of_run(tx, self._world.platform, self._world.workspace.id, profile).values


@pytest.fixture
def vars_(world: World) -> Variables:
    return Variables(world)
