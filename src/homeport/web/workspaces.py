"""The start page: the workspaces that a person may use; with one only, that one."""

from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from homeport.operations import page_queries
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.rows import workspace_url
from homeport.web.visiting import Visiting


@dataclass(frozen=True)
class WorkspaceItem:
    url: str
    name: str
    description: str | None
    role: str


@dataclass(frozen=True)
class WorkspacesPage:
    frame: Frame
    workspaces: tuple[WorkspaceItem, ...]


def show(visitor: Visiting) -> Response:
    usable = page_queries.usable_workspaces(visitor.platform, visitor.principal)
    if len(usable) == 1:
        return RedirectResponse(workspace_url(usable[0][0].id), 303)
    return rendering.answer(
        WorkspacesPage(
            visitor.frame("Workspaces"),
            tuple(
                WorkspaceItem(workspace_url(item.id), item.name, item.description, role) for item, role in usable
            ),
        )
    )
