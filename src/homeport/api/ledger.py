"""The ledger of scheduled moments, why a job did or did not run, and what comes: Homeport's own."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from homeport.api.asking import ByKey
from homeport.contract.base import Page
from homeport.contract.lists import ExplainQuery, ScheduleQuery, TicksQuery
from homeport.contract.ticks import ExplanationResponse, ScheduleResponse, TickResponse
from homeport.operations import explaining, ledger


def list_ticks(asking: ByKey, workspace_id: UUID, query: Annotated[TicksQuery, Query()]) -> Page[TickResponse]:
    return ledger.list_ticks(asking.platform, asking.principal, workspace_id, query)


def schedule(asking: ByKey, workspace_id: UUID, query: Annotated[ScheduleQuery, Query()]) -> ScheduleResponse:
    return ledger.schedule(asking.platform, asking.principal, workspace_id, query)


def explain(
    asking: ByKey, workspace_id: UUID, job_id: UUID, query: Annotated[ExplainQuery, Query()]
) -> ExplanationResponse:
    return explaining.explain(asking.platform, asking.principal, workspace_id, job_id, query.moment)
