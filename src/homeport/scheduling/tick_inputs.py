"""What a start was decided from, as plain JSON to be kept in the ledger: moments are ISO texts in UTC."""

from datetime import datetime
from typing import Any

from homeport.scheduling.freshness import Upstream, stale_reasons, wanted_until
from homeport.scheduling.start_decision import StartFacts, StartRequest, window_of


def inputs_of(facts: StartFacts, request: StartRequest) -> dict[str, Any]:
    """The facts that `decide_start` looked at, and what it worked out of them."""
    interval, refresh = window_of(facts, request)
    declared = facts.declared_interval
    return {
        "now": _text(request.now),
        "workspace_archived": facts.workspace_archived,
        "job_archived": facts.job_archived,
        "is_paused": facts.is_paused,
        "active_runs": facts.active_runs,
        "concurrency": facts.concurrency,
        "zone": facts.zone,
        "completed_until": _text(facts.completed_until),
        "has_completed": facts.has_completed,
        "refresh_pending": facts.refresh_pending,
        "refresh": None if refresh.cause is None else str(refresh.cause),
        "declared_interval": None
        if declared is None
        else {"start": _text(declared.start), "end": _text(declared.end)},
        "interval": None if interval is None else {"start": _text(interval.start), "end": _text(interval.end)},
        "upstreams": [_upstream(upstream, request) for upstream in facts.upstreams],
    }


def _upstream(upstream: Upstream, request: StartRequest) -> dict[str, Any]:
    ref = upstream.constraint.job_ref
    reasons = stale_reasons([upstream], request.now)
    return {
        "job_ref": ref,
        "trigger": upstream.default_trigger,
        "completed_until": _text(upstream.completed_until),
        "wanted_until": _text(wanted_until(upstream, request.now)),
        "is_fresh": not reasons,
        "reason": next(iter(reasons), None),
        "started_together": ref in request.started_in_batch,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
