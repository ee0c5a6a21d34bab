"""What a workspace's TOML says about retries and pipeline locks, and when a run's next attempt begins.

    [jobs.retry]                  all jobs
    [jobs.<section>.retry]        the jobs of a module
    [jobs.<section>.<name>.retry] one job

Key by key the nearest table wins; `<profile>.config.toml` goes over `config.toml`, as dlt merges them. A lost run
of a pipeline job is retried once where nothing else is said: that it is lost is not its own failure.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from homeport.contract.dlt_deployment import Definition
from homeport.errors import BadRequest
from homeport.scheduling.run_lifecycle import EndCause

Table = Mapping[str, Any]
JobSettings = dict[str, dict[str, dict[str, Any]]]
"""Profile ("" is `config.toml`), then path (`jobs`, `jobs.shop`, `jobs.shop.load`), then keys of ours; checked."""

FAILED, LOST, TIMEOUT = "failed", "lost", "timeout"
_REASON_OF = {
    EndCause.EXITED: FAILED,
    EndCause.SETUP_FAILED: FAILED,
    EndCause.LAUNCH_FAILED: FAILED,
    EndCause.LOST: LOST,
    EndCause.TIMED_OUT: TIMEOUT,
}
RETRIED = frozenset(_REASON_OF)
"""Causes after which a run may be tried again."""
_MOST_ATTEMPTS = 100
_LONGEST_SECONDS = 7 * 86_400.0
_SECONDS_OF = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RETRY, _PIPELINE_LOCK = "retry", "pipeline_lock"
_KEYS = ("attempts", "backoff", "max_backoff", "on")
_JITTER = 0.25
"""The part of a backoff that is left to chance, so that runs that failed together do not come back together."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a run is tried, and when again."""

    attempts: int = 1
    """In all, the first one among them."""
    backoff: timedelta = timedelta(seconds=30)
    """Before the second attempt; doubles with each further one."""
    max_backoff: timedelta = timedelta(minutes=15)
    on: frozenset[str] = frozenset({FAILED, LOST, TIMEOUT})

    @property
    def may_retry(self) -> bool:
        return self.attempts > 1


ONCE = RetryPolicy()
LOST_PIPELINE = RetryPolicy(attempts=2, on=frozenset({LOST}))


def pipeline_of(definition: Definition) -> str | None:
    """The pipeline that a job's runs load; only batch jobs are retried and take their turn."""
    if definition["entry_point"]["job_type"] != "batch":
        return None
    name = (definition.get("deliver") or {}).get("pipeline_name")
    return str(name) if name else None


def policy_of(definition: Definition, profile: str, settings: JobSettings | None) -> RetryPolicy:
    """How runs of a job in a profile are retried."""
    if definition["entry_point"]["job_type"] != "batch":
        return ONCE
    is_pipeline = (
        pipeline_of(definition) is not None or (definition.get("expose") or {}).get("category") == "pipeline"
    )
    default = LOST_PIPELINE if is_pipeline else ONCE
    found: dict[str, Any] = {}
    for table in _tables_of(str(definition["job_ref"]), profile, settings):
        found |= table.get(_RETRY, {})
    if not found:
        return default
    # who sets attempts means every cause; who sets only a backoff leaves the rest as it was
    base = RetryPolicy(attempts=default.attempts) if "attempts" in found else default
    return RetryPolicy(
        attempts=int(found.get("attempts", base.attempts)),
        backoff=_span(found, "backoff", base.backoff),
        max_backoff=_span(found, "max_backoff", base.max_backoff),
        on=frozenset(found.get("on", base.on)),
    )


def load_lock_of(definition: Definition, profile: str, settings: JobSettings | None) -> str | None:
    """What only one run of a workspace and profile may load at once; none when the job takes no turn.

    A definition does not tell the dataset, so the pipeline stands for it: its working state is one per name.
    """
    name = pipeline_of(definition)
    wanted = True
    for table in _tables_of(str(definition["job_ref"]), profile, settings):
        wanted = table.get(_PIPELINE_LOCK, wanted)
    return name if name and wanted else None


def wait_before_next(policy: RetryPolicy, cause: EndCause | None, made: int, run_id: UUID) -> timedelta | None:
    """How long the next attempt of a run waits after `made` of them; none when there is no next one."""
    reason = None if cause is None else _REASON_OF.get(cause)
    if reason not in policy.on or made >= policy.attempts:
        return None
    # not as timedeltas: a double of a double … of a second is soon longer than they hold
    seconds = min(policy.backoff.total_seconds() * 2.0 ** (made - 1), policy.max_backoff.total_seconds())
    return timedelta(seconds=seconds * (1 - _JITTER * _chance(run_id, made)))


def _chance(run_id: UUID, made: int) -> float:
    """From 0 to 1; the same for the same attempt, whichever server asks and however often."""
    digest = hashlib.sha256(run_id.bytes + made.to_bytes(2, "big")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def _span(found: Table, key: str, default: timedelta) -> timedelta:
    return timedelta(seconds=found[key]) if key in found else default


def _tables_of(job_ref: str, profile: str, settings: JobSettings | None) -> Iterator[Table]:
    """What applies to a job, the nearest table last."""
    parts = job_ref.split(".")
    for length in range(1, len(parts) + 1):
        path = ".".join(parts[:length])
        base = (settings or {}).get("", {}).get(path, {})
        over = (settings or {}).get(profile, {}).get(path, {}) if profile else {}
        if _RETRY in base or _RETRY in over:
            yield {**base, **over, _RETRY: {**base.get(_RETRY, {}), **over.get(_RETRY, {})}}
        elif base or over:
            yield {**base, **over}


# reading


def read_settings(documents: Mapping[str, Table]) -> JobSettings:
    """Our keys of `config.toml` ("") and the profiles' files; `BadRequest` names file, key and way out."""
    found: JobSettings = {}
    for profile, document in documents.items():
        file = f".dlt/{profile}.config.toml" if profile else ".dlt/config.toml"
        jobs = document.get("jobs")
        tables = {path: table for path, table in _walk(file, "jobs", jobs, depth=3) if table}
        if tables:
            found[profile] = tables
    return found


def _walk(file: str, path: str, table: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(table, Mapping):
        return
    ours: dict[str, Any] = {}
    # a plain value is an argument of the user's job that happens to have this name
    if isinstance(table.get(_RETRY), Mapping):
        ours[_RETRY] = _retry(f"{file}, [{path}.{_RETRY}]", table[_RETRY])
    if _PIPELINE_LOCK in table:
        if not isinstance(table[_PIPELINE_LOCK], bool):
            raise _refused(f"{file}, [{path}]", _PIPELINE_LOCK, table[_PIPELINE_LOCK], "write true or false")
        ours[_PIPELINE_LOCK] = bool(table[_PIPELINE_LOCK])
    yield path, ours
    if depth > 1:
        for key, value in table.items():
            # nothing else is the name of a module or job
            if key != _RETRY and key.isidentifier():
                yield from _walk(file, f"{path}.{key}", value, depth - 1)


def _retry(where: str, table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key == "attempts":
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_ATTEMPTS:
                raise _refused(where, key, value, f"write a whole number from 1 to {_MOST_ATTEMPTS}")
            found[key] = int(value)
        elif key in ("backoff", "max_backoff"):
            found[key] = _seconds(where, key, value)
        elif key == "on":
            known = {FAILED, LOST, TIMEOUT}
            if not isinstance(value, list) or not all(isinstance(item, str) and item in known for item in value):
                raise _refused(where, key, value, 'write a list of "failed", "lost", "timeout"')
            found[key] = sorted({str(item) for item in value})
        else:
            raise _refused(
                where, key, value, f"a retry table has the keys {', '.join(_KEYS)}; remove or rename it"
            )
    return found


def _seconds(where: str, key: str, value: Any) -> float:
    seconds = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)", value.strip())):
        seconds = float(match[1]) * _SECONDS_OF[match[2]]
    if seconds is None or not 0 <= seconds <= _LONGEST_SECONDS:
        raise _refused(where, key, value, 'write seconds or a text such as "30s", "5m", "1h"; 7 days at most')
    return seconds


def _refused(where: str, key: str, value: Any, way_out: str) -> BadRequest:
    return BadRequest(
        f"{where}: {key} = {str(value)[:80]!r} cannot be used: {way_out}. Then deploy again.",
        code="invalid_job_settings",
    )
