"""Take in what dlt inside of a run reports (wire contract §8.6). It does not try again: what we refuse is lost."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from homeport.contract.storable_text import repaired
from homeport.errors import BadRequest, NotSignedIn, TooLarge
from homeport.execution.maskings import masked
from homeport.operations import pipeline_traces, run_secrets
from homeport.operations.platform import Platform
from homeport.store import beacon_reports, pipeline_runs, runs
from homeport.store.beacon_reports import Kind

MAX_REPORT_BYTES = 32 * 1024 * 1024
"""A trace of thousands of tables has some ten; what is more is not a trace."""
_MAX_BYTES_PER_RUN = 256 * 1024 * 1024
_AFTER_THE_END = timedelta(minutes=10)
"""A run's process may report on its way out, and the way may be slow."""
_MAX_NAME_CHARS = 300


def check(platform: Platform, token: str) -> UUID:
    """The run that this token reports for, while it is on and shortly after."""
    run_id = run_secrets.beacon_tokens(platform).run_of(token)
    with platform.database.read() as tx:
        run = runs.get(tx, run_id)
    over_since = None if run is None else run.finished_at
    if run is None or (over_since is not None and over_since + _AFTER_THE_END < platform.clock.now()):
        raise NotSignedIn("This run is over and takes no more reports.", code="beacon_closed")
    return run_id


def take_in(platform: Platform, run_id: UUID, kind: Kind, body: bytes) -> None:
    """Keep a report, and what lists need of it; of two with the same subject, the later one stays."""
    document, body = _without_secrets(platform, run_id, *_parse(body))
    subject = _subject(kind, document)
    derived = pipeline_traces.derive(document) if kind == "trace" else None
    packed = beacon_reports.pack(body)
    now = platform.clock.now()
    with platform.database.write() as tx:
        # two reports of one subject may come at once
        run = runs.lock(tx, run_id)
        if beacon_reports.total_bytes(tx, run_id) + len(body) > _MAX_BYTES_PER_RUN:
            raise TooLarge("This run has reported more than is kept.", code="reports_too_large")
        beacon_reports.keep(tx, run.workspace_id, run_id, kind, subject, packed, len(body), now)
        if derived is not None:
            found = pipeline_runs.PipelineRun(
                id=uuid4(),
                workspace_id=run.workspace_id,
                run_id=run_id,
                transaction_id=subject,
                pipeline_name=_name(document, "pipeline_name"),
                created_at=now,
                updated_at=now,
                **derived.__dict__,
            )
            pipeline_runs.keep(tx, found)


def _parse(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The document, and how it is kept: as it came, but for what could not be given back."""
    try:
        # PostgreSQL's JSON knows neither NaN nor a number without end
        document = repaired(json.loads(body.decode(), parse_constant=lambda _: None, parse_float=_finite))
        kept = _packed(document)
    except (ValueError, RecursionError):
        raise BadRequest("A report is a JSON document in UTF-8.", code="malformed_report") from None
    if not isinstance(document, dict):
        raise BadRequest("A report is a JSON object.", code="malformed_report")
    return cast(dict[str, Any], document), kept


def _without_secrets(
    platform: Platform, run_id: UUID, document: dict[str, Any], kept: bytes
) -> tuple[dict[str, Any], bytes]:
    masking = run_secrets.masking_of(platform, run_id)
    if masking.data(kept) is kept:  # as nearly always
        return document, kept
    document = masked(document, masking)
    return document, _packed(document)


def _packed(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _subject(kind: Kind, document: Mapping[str, Any]) -> str:
    """What makes a report the same as an earlier one."""
    if kind == "job_result":
        return ""
    return _name(document, "transaction_id" if kind == "trace" else "pipeline_name")


def _name(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME_CHARS:
        raise BadRequest(f"The report has no usable {key}.", code="malformed_report")
    return value
