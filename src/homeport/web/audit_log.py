"""Who did what to what, from where, when: for the owners of an organization."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from homeport.contract.lists import ListQuery
from homeport.contract.people import AuditEntryResponse
from homeport.operations import auditing
from homeport.web import rendering
from homeport.web.frame import Crumb, Frame
from homeport.web.visiting import Visiting

_ON_A_PAGE = 100


@dataclass(frozen=True)
class AuditLogPage:
    frame: Frame
    entries: tuple[AuditEntryResponse, ...]
    newer_url: str | None
    older_url: str | None


def show(visitor: Visiting, organization_id: UUID, page: Annotated[int, Query(ge=1, le=100)] = 1) -> Response:
    query = ListQuery(limit=_ON_A_PAGE, offset=(page - 1) * _ON_A_PAGE)
    found = auditing.page(visitor.platform, visitor.principal, organization_id, query)
    address = f"/organizations/{organization_id}"
    has_older = found.total > page * _ON_A_PAGE
    return rendering.answer(
        AuditLogPage(
            visitor.frame("Audit log", Crumb("People", f"{address}/members")),
            tuple(found.items),
            f"{address}/audit-log?page={page - 1}" if page > 1 else None,
            f"{address}/audit-log?page={page + 1}" if has_older else None,
        )
    )
