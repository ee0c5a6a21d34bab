"""What runs report is kept for those who may read it, and for nobody else."""

from typing import Any
from uuid import uuid4

import pytest

from homeport.operations import telemetry

from ..world import Runner, World
from .conftest import Ask

RESULT = {
    "type": "job.load",
    "engine_version": 1,
    "job_ref": "jobs.load",
    "result": {"rows": 3},
    "object": [{"type": "dataset", "id": "shop"}],
}


def metrics(rows: int, load_id: str = "1", table: str = "orders") -> dict[str, Any]:
    return {"table_name": table, "items_count": rows, "file_size": 10 * rows, "load_id": load_id}


def trace(transaction: str = "t1", *, rows: int = 3, error: str | None = None) -> dict[str, Any]:
    """As `PipelineTrace.asdict()` gives it, of one run of a pipeline."""
    package = {"load_id": "1", "state": "loaded", "schema_name": "shop", "schema_migrated": True}
    job = {"state": "completed_jobs", "table_name": "orders", "file_format": "jsonl"}
    at = {"started_at": "2026-03-02T11:59:00Z", "finished_at": "2026-03-02T11:59:01.500000+00:00"}
    dlt_table = metrics(1, table="_dlt_pipeline_state")
    exceptions = [{"message": "first"}, {"message": "no such host", "stack_trace": ["a\n", "b\n"]}]
    return {
        "transaction_id": transaction,
        "pipeline_name": "shop",
        "execution_context": {
            "library": {"name": "dlt", "version": "1.31.0"},
            "python": "3.11",
            "os": {"name": "Linux"},
        },
        **at,
        "steps": [
            {"step": "extract", **at, "extract_info": {"table_metrics": [metrics(rows), dlt_table]}},
            {
                "step": "normalize",
                **at,
                "normalize_info": {"table_metrics": [metrics(rows), dlt_table, metrics(9, "2")]},
            },
            {
                "step": "load",
                **at,
                "step_exception": error,
                "exception_traces": exceptions if error else None,
                "step_info": {"load_packages": [{**package, "jobs": [job]}]},
                "load_info": {"dataset_name": "shop_data", "destination_name": "duckdb"},
            },
        ],
    }


def test_nothing_reported_reads_as_nothing(read: Ask) -> None:
    assert read("/watermark").json() == {"updated_at": None}
    for path in ("/pipeline-runs", "/pipelines/-/stats", "/datasets/-/stats"):
        page = read(path).json()
        assert (page["items"], page["total"], page["next_cursor"]) == ([], 0, None)
    for path in (f"/pipeline-runs/{uuid4()}", f"/pipeline-runs/{uuid4()}/trace"):
        answer = read(path)
        assert (answer.status_code, answer.json()["status_code"]) == (404, 404)


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"start": "2026-03-02T00:00:00Z"}, {"sort": "name", "order": "asc"}], ids=str
)
@pytest.mark.parametrize("path", ["/pipeline-runs", "/pipelines/-/stats", "/datasets/-/stats"])
def test_lists_keep_the_rules_of_lists(read: Ask, path: str, wrong: dict[str, Any]) -> None:
    assert read(path, **wrong).status_code == 400


@pytest.mark.parametrize("which", ["result", "result-trace"])
def test_no_result_and_no_run_are_told_alike(runner: Runner, read: Ask, which: str) -> None:
    answers = [read(f"/job-runs/{run_id}/{which}") for run_id in (runner.run_id, uuid4())]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "no_result")}


def test_the_later_result_stays(runner: Runner, report: Ask, read: Ask) -> None:
    assert report("job_result", RESULT).status_code == 200
    assert report("job_result", {**RESULT, "result": 42}).status_code == 200
    envelope = read(f"/job-runs/{runner.run_id}/result-trace").json()
    assert envelope == {**RESULT, "result": 42}
    assert read(f"/job-runs/{runner.run_id}/result").json()["result"] == 42
    assert read("/watermark").json()["updated_at"] is not None


def test_an_agents_result_shows_its_scalars_and_cost_as_text(runner: Runner, report: Ask, read: Ask) -> None:
    agent = {"status": "ok", "summary": "done", "trace": {"model": "m", "turn_count": 2, "cost_usd": 0.25}}
    report("job_result", {**RESULT, **agent})
    found = read(f"/job-runs/{runner.run_id}/result").json()
    assert (found["agent_status"], found["model"], found["turn_count"], found["cost_usd"]) == (
        "ok",
        "m",
        2,
        "0.25",
    )


def test_an_envelope_that_is_too_large_is_refused_and_its_scalars_are_not(
    runner: Runner, report: Ask, read: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    report("job_result", {**RESULT, "object": ["x" * 1000]})
    monkeypatch.setattr(telemetry, "MAX_RESULT_TRACE_BYTES", 100)
    answer = read(f"/job-runs/{runner.run_id}/result-trace")
    assert (answer.status_code, answer.json()["code"]) == (413, "job_result_trace_too_large")
    assert read(f"/job-runs/{runner.run_id}/result").status_code == 200


def test_a_trace_becomes_a_pipeline_run(world: World, runner: Runner, report: Ask, read: Ask) -> None:
    assert report("trace", trace()).status_code == 200
    (found,) = read("/pipeline-runs").json()["items"]
    assert (found["status"], found["dataset_name"], found["destination_name"]) == (
        "succeeded",
        "shop_data",
        "duckdb",
    )
    # dlt's own tables and packages that were not loaded do not count
    assert (found["total_rows_extracted"], found["total_rows_loaded"], found["total_bytes_loaded"]) == (3, 3, 30)
    assert (found["duration_ms"], found["has_schema_migration"], found["dlt_version"]) == (1500, True, "1.31.0")
    full = read(f"/pipeline-runs/{found['id']}").json()
    assert full["job_run_id"] == str(runner.run_id)
    assert full["tables"][0]["load_job_state"] is None
    assert full["load_packages"][0]["completed_job_count"] == 1
    assert read(f"/pipeline-runs/{found['id']}/trace").json() == trace()


def test_a_failed_trace_names_step_and_reason(report: Ask, read: Ask) -> None:
    report("trace", trace(error="PipelineStepFailed(...)"))
    (found,) = read("/pipeline-runs", status="failed").json()["items"]
    assert (found["error_step"], found["error_message"]) == ("load", "no such host")
    assert read(f"/pipeline-runs/{found['id']}").json()["error_traceback"] == "a\nb\n"


def test_a_trace_is_there_once_per_transaction(report: Ask, read: Ask) -> None:
    for body in (trace(rows=1), trace(rows=2), trace("t2", rows=0)):
        report("trace", body)
    assert read("/pipeline-runs").json()["total"] == 2
    assert [item["total_rows_loaded"] for item in read("/pipeline-runs", is_empty_run=False).json()["items"]] == [
        2
    ]
    (stats,) = read("/pipelines/-/stats").json()["items"]
    assert (stats["total_pipeline_run_count"], stats["success_ratio"], stats["total_rows_loaded"]) == (2, 1.0, 2)
    (dataset,) = read("/datasets/-/stats", q="SHOP").json()["items"]
    assert (dataset["dataset_name"], dataset["distinct_pipeline_count"], dataset["table_count"]) == (
        "shop_data",
        1,
        1,
    )


@pytest.mark.parametrize("kind", ["trace", "state", "job_result"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000])
def test_what_is_no_report_is_refused(report: Ask, kind: str, body: bytes) -> None:
    assert report(kind, body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"transaction_id": "t", "pipeline_name": "p"},
        {"transaction_id": "t", "pipeline_name": "p", "steps": 7, "execution_context": "no"},
        {
            "transaction_id": "t",
            "pipeline_name": "p",
            "steps": [None, {"step": 1, "step_info": []}],
            "started_at": 5,
        },
        {"transaction_id": "t", "pipeline_name": "a\x00b", "steps": [{"step_exception": "\x00"}]},
    ],
    ids=range(4),
)
def test_a_trace_of_another_shape_is_taken_for_what_it_tells(report: Ask, read: Ask, body: dict[str, Any]) -> None:
    assert report("trace", body).status_code == 200
    assert read("/pipeline-runs").json()["total"] == 1
    assert read(f"/pipeline-runs/{read('/pipeline-runs').json()['items'][0]['id']}/trace").status_code == 200


def test_a_token_is_good_for_its_run_and_until_shortly_after(world: World, runner: Runner, report: Ask) -> None:
    runner.exit(0)
    assert report("job_result", RESULT).status_code == 200
    world.advance(minutes=11)
    answer = report("job_result", RESULT)
    assert (answer.status_code, answer.json()["code"]) == (401, "beacon_closed")


@pytest.mark.parametrize("token", ["", "x", "é", "0" * 32 + ".", "0" * 32 + ".AAAA"])
def test_a_guessed_token_reports_nothing(client: Any, token: str) -> None:
    assert client.put(f"/beacon/v1/{token}/trace", json=trace()).status_code in (401, 404)


def test_no_token_is_stored(world: World, runner: Runner, report: Ask) -> None:
    report("job_result", RESULT)
    token = runner.launch.variables["RUNTIME__DLTHUB_DSN"].rpartition("/")[2]
    with world.database.read() as tx:
        assert telemetry.beacon_reports.get(tx, runner.run_id, "job_result") is not None
    assert token.partition(".")[0] == runner.run_id.hex


def test_runs_show_the_pipelines_they_loaded(world: World, runner: Runner, report: Ask, client: Any) -> None:
    report("trace", trace())
    path = f"/api/v1/workspaces/{world.workspace.id}"
    headers = {"Authorization": f"Bearer {world.api_key}"}
    run = client.get(f"{path}/job-runs/{runner.run_id}", headers=headers).json()
    (summary,) = run["pipeline_run_summaries"]
    assert (summary["pipeline_name"], summary["total_rows"], summary["transaction_id"]) == ("shop", 3, "t1")
    assert client.get(f"{path}/job-runs", params={"q": "SHO"}, headers=headers).json()["total"] == 1
    job = client.get(f"{path}/jobs", params={"recent_job_runs_limit": 1}, headers=headers).json()["items"][0]
    assert job["recent_job_runs"][0]["rows_loaded"] == 3
