"""A workspace that is looked at where its server keeps it: without a key, and without a server that answers.

As with `homeport user`: whoever can read the data folder owns the installation anyway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from homeport.cli.connection import Place, connected
from homeport.cli.user import open_platform

if TYPE_CHECKING:
    from homeport.auth.principals import Principal
    from homeport.operations.platform import Platform

_PAGE = 1000


@dataclass(frozen=True)
class LocalWorkspace:
    """Answers as the HTTP API does."""

    platform: "Platform"
    principal: "Principal"
    workspace_id: UUID

    def jobs(self) -> Iterator[dict[str, Any]]:
        from homeport.contract.lists import JobsQuery
        from homeport.operations import looking

        cursor: str | None = None
        while True:
            query = JobsQuery.model_validate({"limit": _PAGE, "cursor": cursor})
            page = looking.list_jobs(self.platform, self.principal, self.workspace_id, query)
            yield from (job.model_dump(mode="json") for job in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def explain(self, job_id: str, moment: str | None) -> dict[str, Any]:
        from homeport.operations import explaining

        found = explaining.explain(self.platform, self.principal, self.workspace_id, UUID(job_id), moment)
        return found.model_dump(mode="json")

    def schedule(self, hours: float, limit: int) -> dict[str, Any]:
        from homeport.contract.lists import ScheduleQuery
        from homeport.operations import ledger

        query = ScheduleQuery.model_validate({"hours": hours, "limit": limit})
        return ledger.schedule(self.platform, self.principal, self.workspace_id, query).model_dump(mode="json")


@contextmanager
def found_place(
    folder: Path,
    url: str | None,
    api_key: str | None,
    workspace: str | None,
    data_dir: Path | None,
    database_url: str | None,
) -> Iterator[Place]:
    """The workspace in a data folder or database, if one is named; else what the folder is connected to."""
    if data_dir is None and database_url is None:
        with connected(folder, url, api_key, workspace) as place:
            yield place
        return
    with open_platform(data_dir, database_url) as platform:
        from homeport.operations import server_workspaces

        principal, workspace_id = server_workspaces.acting_in(platform, workspace)
        yield LocalWorkspace(platform, principal, workspace_id)
