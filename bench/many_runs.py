"""A workspace with 10,000 jobs and 1,000,000 runs that are over, as years of use would leave it behind.

The jobs come by real deploys, which write definitions, triggers and facets; the runs by one statement, with the
server stopped: a hundred of each job, the newest a minute before, each with its attempt, and the newest with a
pipeline that they loaded.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import sqlalchemy as sa

from bench.serving import KEY, deploy, server
from homeport.store.dialects import open_engine

JOBS = 10_000
RUNS_OF_A_JOB = 100
_DEPLOYED_AT_ONCE = 1_000


def make(folder: Path, database_url: str | None) -> str:
    """The workspace's id; the server that made it has stopped."""
    began = time.monotonic()
    with server(folder / "data", database_url) as serving:
        workspace = deploy(serving.url, folder / "bench")
        _deploy_jobs(serving.url, workspace)
    deployed = time.monotonic()
    engine = open_engine(database_url or f"sqlite:///{folder / 'data' / 'homeport.db'}")
    with engine.connect().execution_options(homeport_write=True) as connection, connection.begin():
        _fill(connection, UUID(workspace))
    if engine.dialect.name == "postgresql":
        # what autovacuum does by itself
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
    print(
        f"{JOBS} jobs deployed in {deployed - began:.0f} s, "
        f"{JOBS * RUNS_OF_A_JOB} runs inserted in {time.monotonic() - deployed:.0f} s"
    )
    return workspace


def _deploy_jobs(url: str, workspace: str) -> None:
    """Copies of the bench workspace's job that loads a pipeline, as the client declares it, with a schedule."""
    address = f"{url}/api/v1/workspaces/{workspace}"
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=600) as http:
        there = http.get(f"{address}/jobs?limit=1000").json()["items"]
        model = next(job["job_definition"] for job in there if job["job_ref"].endswith("load_few"))
        # hourly, and most of an hour away: nothing fires while it is measured
        minute = (datetime.now(UTC) + timedelta(minutes=55)).minute
        for first in range(0, JOBS, _DEPLOYED_AT_ONCE):
            request = {
                "job_definition_engine_version": model["engine_version"],
                "job_definition_hash": "",
                "deployment_module": f"part_{first}",
                "jobs": [_job(model, number, minute) for number in range(first, first + _DEPLOYED_AT_ONCE)],
            }
            answer = http.post(f"{address}/-deploy", json=request)
            if answer.is_error:
                raise RuntimeError(answer.text[:1000])


def _job(model: dict[str, object], number: int, minute: int) -> dict[str, object]:
    section, name = f"source_{number // 50}", f"load_{number}"
    return {
        **model,
        "job_ref": f"jobs.{section}.{name}",
        "entry_point": {**model["entry_point"], "module": section, "function": name},  # type: ignore[dict-item]
        "triggers": [f"schedule:{minute} * * * *"],
        "description": f"Loads table {number} of the shop, and what hangs on it, into the warehouse.",
        "expose": {
            "manual": True,
            "display_name": f"Load table {number}",
            "tags": ["nightly", f"team{number % 9}"],
        },
        "deliver": {"pipeline_name": name},
        "execute": {"timeout": {"timeout": 3600.0, "grace_period": 30.0}},
    }


def _fill(connection: sa.Connection, workspace: UUID) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    words = _SQLITE if is_sqlite else _POSTGRESQL
    if is_sqlite:
        connection.exec_driver_sql("PRAGMA cache_size = -1000000")
    values = {
        "now": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "workspace": workspace.hex if is_sqlite else str(workspace),
    }
    for statement in _STATEMENTS:
        for name, text in {"age": _AGE, **words, "per_job": str(RUNS_OF_A_JOB)}.items():
            statement = statement.replace(f"<{name}>", text)
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(sa.text(statement), used)


# seconds before `now` that a run was created: an hour between those of a job, and the jobs one after the other
_AGE = "(60 + (<per_job> - number) * 3600 + rank * 0.3)"
_SQLITE = {
    "id": "lower(hex(randomblob(16)))",
    "before": "strftime('%Y-%m-%d %H:%M:%f', :now, (-1 * (",
    "end": ")) || ' seconds') || '000'",
    "none": "'[]'",
    "details": "'{}'",
    "text": "id",
}
_POSTGRESQL = {
    "id": "gen_random_uuid()",
    "before": "CAST(:now || '+00' AS timestamptz) - interval '1 second' * (",
    "end": ")",
    "none": "CAST('[]' AS jsonb)",
    "details": "CAST('{}' AS jsonb)",
    "text": "CAST(id AS text)",
}
_STATEMENTS = [
    """
    INSERT INTO runs (id, workspace_id, job_id, job_version_id, deployment_id, configuration_id, number, status,
        trigger, profile, refresh, interval_start, interval_end, chain_depth, end_cause, exit_code, created_at,
        started_at, finished_at, updated_at, duration_ms)
    WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < <per_job>),
    many AS (
        SELECT jobs.id, current_version_id, trigger, row_number() OVER (ORDER BY jobs.id) AS rank
        FROM jobs JOIN job_triggers ON job_triggers.job_id = jobs.id
        WHERE deployment_module LIKE 'part_%' AND job_triggers.next_at IS NOT NULL
    )
    SELECT <id>, :workspace, many.id, current_version_id,
        (SELECT id FROM packages WHERE kind = 'deployments'),
        (SELECT id FROM packages WHERE kind = 'configurations'),
        number, CASE WHEN rank % 20 = 0 THEN 'failed' ELSE 'completed' END, trigger, 'prod', FALSE,
        <before><age> + 3600<end>, <before><age><end>, 0,
        'exited', CASE WHEN rank % 20 = 0 THEN 1 ELSE 0 END,
        <before><age><end>, <before><age> - 1<end>, <before><age> - 21<end>,
        <before><age> - 21<end>, 20000
    FROM numbers CROSS JOIN many
    ORDER BY number, rank
    """,
    """
    INSERT INTO attempts (id, run_id, number, state, ticket_hash, next_line, contact_at, created_at, ended_at)
    SELECT <text>, id, 1, 'ended', <text>, 12, updated_at, created_at, updated_at FROM runs
    """,
    """
    INSERT INTO ticks (job_id, trigger, moment, outcome, reasons, run_id, decided_at, workspace_id, last_moment,
        moments, inputs, decided_by, first_decided_at)
    SELECT job_id, trigger, interval_end, 'triggered', <none>, id, created_at, workspace_id, interval_end, 1,
        <details>, 'clock', created_at
    FROM runs
    """,
    """
    INSERT INTO pipeline_runs (id, workspace_id, run_id, transaction_id, pipeline_name, status, dataset_name,
        destination_name, started_at, finished_at, duration_ms, total_rows_extracted, total_rows_loaded,
        total_bytes_extracted, total_bytes_loaded, is_empty_run, has_schema_migration, details, created_at,
        updated_at)
    SELECT <id>, runs.workspace_id, runs.id, 't1', pipeline_name, 'succeeded', 'warehouse', 'duckdb', started_at,
        finished_at, 20000, 100, 100, 4096, 4096, FALSE, FALSE, <details>, finished_at, finished_at
    FROM runs JOIN job_facets ON job_facets.job_id = runs.job_id WHERE number > <per_job> - 10
    """,
    """
    UPDATE jobs SET last_run_number = <per_job>, has_completed = TRUE, completed_until = newest.interval_end,
        last_run_at = newest.created_at, updated_at = newest.created_at
    FROM runs AS newest WHERE newest.job_id = jobs.id AND newest.number = <per_job>
    """,
]
