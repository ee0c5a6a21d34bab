"""A job: what it is, what starts it, what it hangs on, and its runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from homeport.contract import dlt_deployment
from homeport.contract.base import MAX_OFFSET
from homeport.execution.launches import Limits
from homeport.operations import answers, page_queries
from homeport.operations.page_queries import RUNS_OF_A_JOB, Edge, JobDetails
from homeport.web import rendering, words
from homeport.web.frame import Crumb, Frame
from homeport.web.rows import RunRow, TickRow, job_url, label, pipeline_url, run_rows, tick_rows, workspace_url
from homeport.web.visiting import Visiting, Visitor

_BARS = 30
_LOWEST_BAR = 12
_WORDS_OF = {
    "success": ("after the success of", "starts after a success"),
    "fail": ("after a failure of", "starts after a failure"),
    "fresh": ("waits until fresh:", "waits until this is fresh"),
}


@dataclass(frozen=True)
class TriggerItem:
    words: str
    text: str
    """As it is declared."""


@dataclass(frozen=True)
class PipelineLink:
    """The pipeline that the job loads."""

    name: str
    url: str


@dataclass(frozen=True)
class EdgeItem:
    """Another job, and how this one hangs on it or it on this one."""

    words: str
    label: str
    url: str | None
    is_archived: bool


@dataclass(frozen=True)
class Bar:
    """One run in the chart of durations."""

    x: int
    height: int
    """Of 100."""
    status: str
    url: str
    title: str


@dataclass(frozen=True)
class WebhookPart:
    """How the job is called from outside, for those who may change that."""

    urls: tuple[str, ...]
    issued_at: datetime | None
    """When its secret was made; none before there is one."""
    secret: str | None
    """A new one, shown this once."""
    secret_action: str
    """Where to post to get a secret, or a new one."""


@dataclass(frozen=True)
class PublicLinkPart:
    """The link to the app that needs no sign-in; also where there is none, for those who may make one."""

    url: str | None
    ends_at: datetime | None
    has_ended: bool
    has_password: bool
    views: int
    publish_action: str | None
    """None for those who may only look, as the others below."""
    unpublish_action: str | None
    end_action: str | None
    password_action: str | None


@dataclass(frozen=True)
class JobPage:
    frame: Frame
    label: str
    ref: str
    category: str
    description: str | None
    is_archived: bool
    is_paused: bool
    next_at: datetime | None
    run_action: str | None
    """Where to post to start it; none when the person may not, it is archived, or a visit starts it."""
    app_url: str | None
    """Where its app is, which a visit starts; none for a job without one, and when it is archived."""
    triggers: tuple[TriggerItem, ...]
    profile: str
    tags: tuple[str, ...]
    pipeline: PipelineLink | None
    timeout: str
    concurrency: str
    interval: str | None
    entry_point: str
    launcher: str
    version: int
    deployed_at: datetime
    deployed_by: str
    upstream: tuple[EdgeItem, ...]
    downstream: tuple[EdgeItem, ...]
    webhook: WebhookPart | None
    public_link: PublicLinkPart | None
    bars: tuple[Bar, ...]
    runs: tuple[RunRow, ...]
    newer_url: str | None
    older_url: str | None
    ticks: tuple[TickRow, ...]
    """The latest moments of its schedule."""


def show(
    visitor: Visiting,
    workspace_id: UUID,
    name: str,
    page: Annotated[int, Query(ge=1, le=MAX_OFFSET // RUNS_OF_A_JOB)] = 1,
) -> Response:
    return answer(visitor, workspace_id, name, page)


def answer(
    visitor: Visitor, workspace_id: UUID, name: str, page: int = 1, webhook_secret: str | None = None
) -> Response:
    """The page, once with a secret that was just made."""
    seen = page_queries.job(visitor.platform, visitor.principal, workspace_id, name, page)
    return rendering.answer(_page(visitor, seen, page, webhook_secret))


def _page(visitor: Visitor, seen: JobDetails, number: int, webhook_secret: str | None) -> JobPage:
    job, version = seen.job.current.job, seen.job.current.version
    definition = version.definition
    url = job_url(job.workspace_id, job.job_ref)
    name = definition.get("deliver", {}).get("pipeline_name")
    runs = run_rows(seen.runs, visitor.now)
    is_live = job.archived_at is None
    app = answers.app_url(seen.job.current, visitor.platform)
    return JobPage(
        frame=visitor.frame(label(seen.job.current), Crumb(seen.workspace.name, workspace_url(seen.workspace.id))),
        label=label(seen.job.current),
        ref=job.job_ref,
        category=dlt_deployment.category(definition).replace("_", " "),
        description=definition.get("description"),
        is_archived=not is_live,
        is_paused=job.paused_at is not None,
        next_at=seen.job.next_at,
        run_action=f"{url}/-run" if seen.may_start and is_live and app is None else None,
        app_url=app if is_live else None,
        triggers=tuple(TriggerItem(words.trigger(text, version.zone), text) for text in definition["triggers"]),
        profile=version.profile,
        tags=_tags(definition),
        pipeline=PipelineLink(name, pipeline_url(job.workspace_id, name)) if name else None,
        timeout=_timeout(seen.limits),
        concurrency="no limit" if version.concurrency is None else f"{version.concurrency} at once",
        interval=_interval(definition),
        entry_point=":".join(filter(None, (definition["entry_point"].get(key) for key in ("module", "function")))),
        launcher=dlt_deployment.launcher_of(definition),
        version=version.version,
        deployed_at=version.created_at,
        deployed_by=seen.author,
        upstream=tuple(_edge_item(edge, job.workspace_id, 0) for edge in seen.upstream),
        downstream=tuple(_edge_item(edge, job.workspace_id, 1) for edge in seen.downstream),
        webhook=_webhook(seen, url, webhook_secret),
        public_link=_public_link(seen, url, visitor.now) if app is not None and is_live else None,
        bars=_bars(runs) if number == 1 else (),
        runs=runs,
        newer_url=f"{url}?page={number - 1}" if number > 1 else None,
        older_url=f"{url}?page={number + 1}" if seen.has_older_runs else None,
        ticks=tick_rows(seen.ticks),
    )


def _webhook(seen: JobDetails, url: str, secret: str | None) -> WebhookPart | None:
    found = seen.webhook
    if found is None:
        return None
    return WebhookPart(tuple(found.urls), found.issued_at, secret, f"{url}/-webhook-secret")


def _public_link(seen: JobDetails, url: str, now: datetime) -> PublicLinkPart | None:
    link, may_change = seen.link, seen.may_change
    if link.public_url is None and not may_change:
        return None
    publish, unpublish, end, password = (
        f"{url}/-{verb}" if may_change else None for verb in ("publish", "unpublish", "link-end", "link-password")
    )
    return PublicLinkPart(
        url=link.public_url,
        ends_at=link.expires_at,
        has_ended=link.expires_at is not None and link.expires_at <= now,
        has_password=link.has_password,
        views=link.views,
        publish_action=publish,
        unpublish_action=unpublish,
        end_action=end,
        password_action=password,
    )


def _tags(definition: dict[str, Any]) -> tuple[str, ...]:
    tags = definition.get("expose", {}).get("tags") or ()
    return (tags,) if isinstance(tags, str) else tuple(tags)


def _timeout(limits: Limits) -> str:
    if limits.timeout is None:
        return "none"
    return f"{words.duration(limits.timeout)}, then {words.duration(limits.grace)} to stop"


def _interval(definition: dict[str, Any]) -> str | None:
    spec = definition.get("interval")
    return None if not spec else f"from {spec['start']} to {spec.get('end') or 'now'}"


def _edge_item(edge: Edge, workspace_id: UUID, direction: int) -> EdgeItem:
    return EdgeItem(
        words=_WORDS_OF[edge.relation][direction],
        label=label(edge.job) if edge.job else edge.job_ref,
        url=job_url(workspace_id, edge.job_ref) if edge.job else None,
        is_archived=edge.job is not None and edge.job.job.archived_at is not None,
    )


def _bars(runs: tuple[RunRow, ...]) -> tuple[Bar, ...]:
    """The newest runs from left to right, as high as they took long."""
    shown = runs[:_BARS][::-1]
    longest = max((run.seconds or 0.0 for run in shown), default=0.0) or 1.0
    return tuple(
        Bar(
            x=place * 12,
            height=max(_LOWEST_BAR, round(100 * (run.seconds or 0.0) / longest)),
            status=run.status,
            url=run.url,
            title=f"Run {run.number}: {run.status}"
            + (f", {words.duration(run.seconds)}" if run.seconds is not None else ""),
        )
        for place, run in enumerate(shown)
    )
