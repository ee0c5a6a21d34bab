"""What lists and statistics need of a trace that dlt reported (wire contract §8.6, the table of derivations).

Values in, values out. A trace comes from user code's process, in the shape of whatever dlt that has: what is
missing or not of the form it should have reads as unknown or as nothing, never as an error.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from homeport.contract.base import MAX_COUNT, MAX_NAME_CHARS

Part = dict[str, Any]

_LOADED, _OVER = "loaded", ("loaded", "aborted")


@dataclass(frozen=True)
class Derived:
    """The scalars that lists are made of; `details` is for the page of one pipeline run."""

    status: str
    dataset_name: str | None
    destination_name: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    total_rows_extracted: int
    total_rows_loaded: int
    total_bytes_extracted: int
    total_bytes_loaded: int
    is_empty_run: bool
    has_schema_migration: bool
    details: Part = field(default_factory=dict)


def derive(trace: Part) -> Derived:
    steps = _parts(trace.get("steps"))
    extracted = _user_tables(_info(steps, "extract"))
    packages = _packages(steps)
    loaded_ids = {_key(package.get("load_id")) for package in packages if package.get("state") == _LOADED}
    loaded = [row for row in _user_tables(_info(steps, "normalize")) if _key(row.get("load_id")) in loaded_ids]
    load_info = _info(steps, "load")
    started, finished = _moment(trace.get("started_at")), _moment(trace.get("finished_at"))
    rows_loaded = _sum(loaded, "items_count")
    return Derived(
        status="failed" if any(step.get("step_exception") for step in steps) else "succeeded",
        dataset_name=_name(load_info.get("dataset_name")),
        destination_name=_name(load_info.get("destination_name")),
        started_at=started,
        finished_at=finished,
        duration_ms=_took(trace),
        total_rows_extracted=_sum(extracted, "items_count"),
        total_rows_loaded=rows_loaded,
        total_bytes_extracted=_sum(extracted, "file_size"),
        total_bytes_loaded=_sum(loaded, "file_size"),
        is_empty_run=rows_loaded == 0,
        has_schema_migration=any(bool(package.get("schema_migrated")) for package in packages),
        details={
            **_context(trace),
            **_error(steps),
            **{f"{step.get('step')}_duration_ms": _took(step) for step in steps if step.get("step") in _STEPS},
            **_package_facts(packages, loaded),
            "tables": _tables(steps, extracted, loaded),
            "resources": _resources(steps),
        },
    )


_STEPS = ("extract", "normalize", "load")


def _context(trace: Part) -> Part:
    context = _part(trace.get("execution_context"))
    library, os = _part(context.get("library")), _part(context.get("os"))
    return {
        "dlt_version": _text(library.get("version")) if library.get("name") in ("dlt", None) else None,
        "python_version": _text(context.get("python")),
        "os_name": _text(os.get("name")),
        "os_version": _text(os.get("version")),
    }


def _error(steps: list[Part]) -> Part:
    """Of the first step that failed; `run` only tells again what its part told."""
    failed = [step for step in steps if step.get("step_exception")]
    first = next((step for step in failed if step.get("step") != "run"), failed[0] if failed else None)
    if first is None:
        return {}
    traces = _parts(first.get("exception_traces"))
    last = traces[-1] if traces else {}
    stack = last.get("stack_trace")
    return {
        "error_step": _text(first.get("step")),
        "error_message": _text(last.get("message")) or _text(first.get("step_exception")),
        "error_traceback": "".join(map(str, stack)) if isinstance(stack, list) else _text(stack),
    }


def _packages(steps: list[Part]) -> list[Part]:
    """Each load package as the last step that had it left it."""
    found: dict[Any, Part] = {}
    for step in steps:
        for package in _parts(_part(step.get("step_info")).get("load_packages")):
            found[_key(package.get("load_id"))] = package
    return list(found.values())


def _package_facts(packages: list[Part], loaded: list[Part]) -> Part:
    shown = [_package(package, loaded) for package in packages]
    return {
        "load_packages": shown,
        "load_package_count": len(shown),
        "has_failed_load_jobs": any(package["has_failed_load_jobs"] for package in shown),
        "has_pending_packages": any(package["is_pending"] for package in shown),
    }


def _package(package: Part, loaded: list[Part]) -> Part:
    states = [job.get("state") for job in _parts(package.get("jobs"))]
    of_package = [row for row in loaded if row.get("load_id") == package.get("load_id")]
    completed_at = _moment(package.get("completed_at"))
    failed = states.count("failed_jobs")
    return {
        "load_id": str(package.get("load_id")),
        "load_status": _text(package.get("state")),
        "schema_name": _text(package.get("schema_name")),
        "schema_hash": _text(package.get("schema_hash")),
        "completed_at": None if completed_at is None else completed_at.isoformat(),
        "job_count": len(states),
        "completed_job_count": states.count("completed_jobs"),
        "failed_job_count": failed,
        "has_failed_load_jobs": failed > 0,
        "has_schema_migration": bool(package.get("schema_migrated")),
        "is_pending": package.get("state") not in _OVER or bool(package.get("has_pending_transitions")),
        "total_rows_loaded": _sum(of_package, "items_count"),
        "total_bytes_loaded": _sum(of_package, "file_size"),
    }


def _tables(steps: list[Part], extracted: list[Part], loaded: list[Part]) -> list[Part]:
    tables: dict[str, Part] = {}
    for rows, kind in ((extracted, "extracted"), (loaded, "loaded")):
        for row in rows:
            table = tables.setdefault(str(row["table_name"]), {"table_name": str(row["table_name"])})
            table[f"rows_{kind}"] = table.get(f"rows_{kind}", 0) + _number(row.get("items_count"))
            table[f"bytes_{kind}"] = table.get(f"bytes_{kind}", 0) + _number(row.get("file_size"))
    for job in _parts(_info(steps, "load").get("job_metrics")):
        table = tables.get(str(job.get("table_name")), {})
        if table.get("load_job_state") != "failed":
            table["load_job_state"] = _text(job.get("state"))
        table["load_duration_ms"] = (table.get("load_duration_ms") or 0) + (_took(job) or 0)
    for hint in _parts(_info(steps, "extract").get("hints")):
        if (found := tables.get(str(hint.get("table_name") or hint.get("resource_name")))) is not None:
            found["write_disposition"] = _text(hint.get("write_disposition"))
    for package in _packages(steps):
        for job in _parts(package.get("jobs")):
            if (found := tables.get(str(job.get("table_name")))) is not None:
                found["file_format"] = _text(job.get("file_format"))
                found["schema_name"] = _text(package.get("schema_name"))
    return list(tables.values())


def _resources(steps: list[Part]) -> list[Part]:
    info = _info(steps, "extract")
    parents = {_key(edge.get("resource_name")): edge.get("parent_name") for edge in _parts(info.get("dag"))}
    written = {
        _key(hint.get("resource_name")): hint.get("write_disposition") for hint in _parts(info.get("hints"))
    }
    resources: dict[str, Part] = {}
    for row in _parts(info.get("resource_metrics")):
        name = _text(row.get("resource_name"))
        if name is None:
            continue
        resource = resources.setdefault(
            name,
            {
                "resource_name": name,
                "parent_resource_name": _text(parents.get(name)),
                "write_disposition": _text(written.get(name)),
                "rows_extracted": 0,
                "bytes_extracted": 0,
            },
        )
        resource["rows_extracted"] += _number(row.get("items_count"))
        resource["bytes_extracted"] += _number(row.get("file_size"))
    return list(resources.values())


def _info(steps: list[Part], name: str) -> Part:
    """The `<step>_info` of a step, whether it stands beside `step_info` or in it."""
    for step in steps:
        if step.get("step") == name:
            return _part(step.get(f"{name}_info")) or _part(step.get("step_info"))
    return {}


def _user_tables(info: Part) -> list[Part]:
    """Metrics of tables that are not dlt's own."""
    rows = _parts(info.get("table_metrics"))
    return [row for row in rows if row.get("table_name") and not str(row["table_name"]).startswith("_dlt")]


def _took(part: Part) -> int | None:
    started, finished = _moment(part.get("started_at")), _moment(part.get("finished_at"))
    return None if started is None or finished is None else round((finished - started).total_seconds() * 1000)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        # the first and last days of the calendar are not there in UTC
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _part(value: Any) -> Part:
    return value if isinstance(value, dict) else {}


def _parts(value: Any) -> list[Part]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _name(value: Any) -> str | None:
    """As much of it as its column holds."""
    return value[:MAX_NAME_CHARS] if isinstance(value, str) else None


def _key(value: Any) -> str:
    """What parts of a trace are brought together by, whatever it is."""
    return str(value)


def _number(value: Any) -> int:
    # no float: not a number, or one without end, has no integer
    return min(max(value, 0), MAX_COUNT) if isinstance(value, int) else 0


def _sum(rows: list[Part], key: str) -> int:
    return min(sum(_number(row.get(key)) for row in rows), MAX_COUNT)
