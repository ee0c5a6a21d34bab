"""What lists may be asked for: paging, sorting, filters (wire contract §7, §8.1, §8.5). One model per list.

Checked here: bounds, the pairs of `sort` and `order`, the window. What passes is a question that can be answered.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, NaiveDatetime, field_validator, model_validator

from homeport.contract.base import DEFAULT_LIMIT, MAX_INT, MAX_LIMIT, MAX_OFFSET, Model

_MAX_TEXT_CHARS = 1_000
_MAX_CHOICES = 1_000
_ABOUT_A_DAY = timedelta(days=2)


def _plain(value: str) -> str:
    if "\x00" in value:
        raise ValueError("it has a NUL character, which nothing here contains")
    return value


Text = Annotated[str, Field(max_length=_MAX_TEXT_CHARS), AfterValidator(_plain)]
Direction = Literal["asc", "desc"]

Choice = TypeVar("Choice")
Some = Annotated[list[Choice], Field(max_length=_MAX_CHOICES)]
"""Any of these, in the address of a request."""

JobType = Literal["batch", "interactive", "stream"]
JobCategory = Literal["pipeline", "notebook", "dashboard", "mcp", "background_agent"]
Status = Literal["pending", "starting", "running", "cancelling", "completed", "failed", "cancelled", "skipped"]
Kind = Literal["schedule", "every", "once", "job.success", "job.fail", "http", "webhook", "deployment", "manual"]
"""Of a trigger; the released client knows all but `deployment`."""
PrincipalKind = Literal["human", "managed", "service_account"]
PipelineRunStatus = Literal["succeeded", "failed"]


class ListQuery(Model):
    """A page of a list in its usual order."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    cursor: Text | None = None
    """`next_cursor` of the page before; not together with an offset other than 0, which clients always send."""
    sort: Some[Any] = []
    order: Some[Direction] = []
    """One for each of `sort`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ListQuery":
        if self.cursor is not None and self.offset:
            raise ValueError("cursor and offset say two different things: send one of them")
        if len(self.sort) != len(self.order):
            raise ValueError("sort and order come in pairs: send as many of one as of the other")
        if len(set(self.sort)) != len(self.sort):
            raise ValueError("a key is sorted by once: name it once in sort")
        return self

    @property
    def sorted_by(self) -> list[tuple[str, bool]]:
        """Keys and whether they descend; empty: the list's usual order."""
        return [(key, way == "desc") for key, way in zip(self.sort, self.order, strict=True)]


class FixedOrderQuery(ListQuery):
    """A list that comes in one order only."""

    sort: list[Text] = Field([], max_length=0)


class WindowQuery(ListQuery):
    """A list that may be narrowed to a stretch of time, `[start, end)`."""

    start: NaiveDatetime | None = None
    """Without offset: read in `timezone`."""
    end: NaiveDatetime | None = None
    timezone: Text = "UTC"

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError, TypeError):
            raise ValueError("there is no such time zone; write an IANA name such as Europe/Berlin") from None
        return name

    @field_validator("start", "end")
    @classmethod
    def _is_in_the_calendar(cls, moment: datetime | None) -> datetime | None:
        # its first and last days are not there in every zone
        if moment is not None and not datetime.min + _ABOUT_A_DAY < moment < datetime.max - _ABOUT_A_DAY:  # noqa: DTZ901
            raise ValueError("this lies outside the calendar")
        return moment

    @property
    def start_at(self) -> datetime | None:
        return self._moment(self.start)

    @property
    def end_at(self) -> datetime | None:
        return self._moment(self.end)

    def _moment(self, reading: datetime | None) -> datetime | None:
        return None if reading is None else reading.replace(tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)


class OrganizationsQuery(ListQuery):
    sort: Some[Literal["created_at", "name"]] = []


class WorkspacesQuery(ListQuery):
    sort: Some[Literal["created_at", "name"]] = []
    include_archived: bool = False


class MembersQuery(ListQuery):
    sort: Some[Literal["created_at", "email"]] = []
    kind: Some[PrincipalKind] = []


class VersionsQuery(ListQuery):
    """Of code or of configuration."""

    sort: Some[Literal["created_at", "version"]] = []
    version: int | None = Field(None, ge=0, le=MAX_INT)


class JobsQuery(WindowQuery):
    sort: Some[Literal["created_at", "last_run_at", "last_run_ended_at", "name", "next_scheduled_run_at"]] = []
    q: Text | None = None
    """Part of the name, whatever the case."""
    ref: Text | None = None
    job_type: Some[JobType] = []
    is_archived: bool | None = None
    is_paused: bool | None = None
    profile: Some[Text] = []
    pipeline_name: Some[Text] = []
    status: Some[Status] = []
    """Of the newest run."""
    trigger_kind: Some[Kind] = []
    """Declares any of these; `manual` is what `expose.manual` says."""
    is_self_firing: bool | None = None
    """Starts without a person: by the clock, a call or another job."""
    category: Some[JobCategory] = []
    exclude_category: Some[JobCategory] = []
    tags: Some[Text] = []
    recent_job_runs_limit: int | None = Field(None, ge=0, le=100)
    downstream_job_runs_limit: int | None = Field(None, ge=0, le=100)
    downstream_job_runs_category: JobCategory | None = None


class JobRunsQuery(WindowQuery):
    sort: Some[Literal["created_at", "duration_seconds", "finished_at", "number", "started_at"]] = []
    q: Text | None = None
    """Part of the job's name or of a pipeline's that the run loaded; a number is also the run's number."""
    status: Some[Status] = []
    number: int | None = Field(None, ge=0, le=MAX_INT)
    job_id: UUID | None = None
    previous_job_run_id: UUID | None = None
    job_type: Some[JobType] = []
    trigger: Some[Text] = []
    trigger_kind: Some[Kind] = []
    """Of the trigger that fired; `manual`: a person started it."""
    triggered_by: Some[UUID] = []
    profile: Some[Text] = []
    min_duration_seconds: float | None = Field(None, ge=0, le=MAX_INT, allow_inf_nan=False)
    max_duration_seconds: float | None = Field(None, ge=0, le=MAX_INT, allow_inf_nan=False)
    include_system_job_runs: bool = False
    downstream_job_runs_limit: int | None = Field(None, ge=0, le=100)
    downstream_job_runs_category: JobCategory | None = None


class PipelineRunsQuery(WindowQuery):
    sort: Some[Literal["duration_ms", "finished_at", "started_at", "total_bytes_loaded", "total_rows_loaded"]] = []
    q: Text | None = None
    """Part of the pipeline's name, whatever the case."""
    status: Some[PipelineRunStatus] = []
    pipeline_name: Some[Text] = []
    dataset_name: Some[Text] = []
    destination_name: Some[Text] = []
    job_run_id: Some[UUID] = []
    is_empty_run: bool | None = None


class PipelineStatsQuery(WindowQuery):
    sort: Some[
        Literal[
            "average_duration_ms",
            "latest_pipeline_run_at",
            "pipeline_name",
            "success_ratio",
            "total_pipeline_run_count",
            "total_rows_loaded",
        ]
    ] = []
    q: Text | None = None
    pipeline_name: Some[Text] = []
    latest_status: Some[PipelineRunStatus] = []
    latest_destination_name: Some[Text] = []


class DatasetStatsQuery(WindowQuery):
    sort: Some[
        Literal[
            "average_duration_ms",
            "dataset_name",
            "latest_pipeline_run_at",
            "success_ratio",
            "total_pipeline_run_count",
            "total_rows_loaded",
        ]
    ] = []
    q: Text | None = None
    dataset_name: Some[Text] = []
    latest_status: Some[PipelineRunStatus] = []
    latest_destination_name: Some[Text] = []


class TicksQuery(WindowQuery):
    """Of the ledger; `start` and `end` are compared with the last moment that a row stands for."""

    sort: Some[Literal["moment"]] = []
    job_id: UUID | None = None
    outcome: Some[Text] = []


class ScheduleQuery(Model):
    """How far to look ahead."""

    hours: float = Field(24, ge=0, le=24 * 366, allow_inf_nan=False)
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    job_id: UUID | None = None


class ExplainQuery(Model):
    moment: Text | None = None
    """ISO 8601; without offset it is read in the job's zone. Left out: the most recent and the next."""
