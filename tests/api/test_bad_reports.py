"""Reports are documents of others' making: spoiled at any place, they are refused or can be read."""

from typing import Any

import pytest

from ..bad_values import as_json, spoiled
from ..databases import on_both
from ..furnished import Furnished
from ..world import World

TRACE: dict[str, Any] = {
    "transaction_id": "t9",
    "pipeline_name": "shop",
    "execution_context": {
        "library": {"name": "dlt", "version": "1.31.0"},
        "python": "3.11",
        "os": {"name": "Linux", "version": "6"},
    },
    "started_at": "2026-03-02T11:59:00Z",
    "finished_at": "2026-03-02T11:59:01Z",
    "steps": [
        {
            "step": "extract",
            "started_at": "2026-03-02T11:59:00Z",
            "finished_at": "2026-03-02T11:59:01Z",
            "step_exception": "broken",
            "exception_traces": [{"message": "it broke", "stack_trace": ["line", "line"]}],
            "extract_info": {
                "table_metrics": [{"table_name": "fruit", "items_count": 3, "file_size": 90, "load_id": "1"}],
                "resource_metrics": [{"resource_name": "fruit", "items_count": 3, "file_size": 90}],
                "dag": [{"resource_name": "fruit", "parent_name": "shop"}],
                "hints": [{"resource_name": "fruit", "table_name": "fruit", "write_disposition": "append"}],
            },
        },
        {
            "step": "load",
            "load_info": {
                "dataset_name": "shop_data",
                "destination_name": "duckdb",
                "job_metrics": [
                    {
                        "table_name": "fruit",
                        "state": "completed",
                        "started_at": "2026-03-02T11:59:00Z",
                        "finished_at": "2026-03-02T11:59:01Z",
                    }
                ],
            },
            "step_info": {
                "load_packages": [
                    {
                        "load_id": "1",
                        "state": "loaded",
                        "schema_name": "shop",
                        "schema_hash": "h",
                        "completed_at": "2026-03-02T11:59:01Z",
                        "schema_migrated": True,
                        "has_pending_transitions": False,
                        "jobs": [{"table_name": "fruit", "state": "completed_jobs", "file_format": "parquet"}],
                    }
                ]
            },
        },
    ],
}

RESULT: dict[str, Any] = {
    "type": "job.a",
    "engine_version": 1,
    "job_ref": "jobs.a",
    "result": {"rows": 3, "status": "done", "summary": "all done"},
    "trace": {
        "loop_type": "loop",
        "model": "m",
        "stop_reason": "end",
        "turn_count": 3,
        "input_tokens": 5,
        "output_tokens": 7,
        "total_tokens": 12,
        "cost_usd": "0.25",
    },
    "object": [{"type": "dataset", "id": "dataset/a"}],
}


@pytest.fixture
def furnished(world: World) -> Furnished:
    return Furnished(world)


@on_both
@pytest.mark.parametrize(("kind", "document"), [("trace", TRACE), ("job_result", RESULT)])
def test_a_report_is_refused_or_can_be_read(furnished: Furnished, kind: str, document: dict[str, Any]) -> None:
    address = f"/beacon/v1/{furnished.beacon_token}/{kind}"
    base = f"/telemetry/v1/workspaces/{furnished.world.workspace.id}"
    token, faults = furnished.dataplane_token, []
    bodies = [(case, as_json(body)) for case, body in spoiled(document)]
    bodies += [("utf-16", str(document).replace("'", '"').encode("utf-16")), ("root", b"[]"), ("none", b"")]
    for case, body in bodies:
        answer = furnished.ask("PUT", address, None, content=body)
        if answer.status_code not in (200, 400):
            faults.append((case, answer.status_code, answer.text[:200]))
        if answer.status_code == 200:
            for page in _pages_of(furnished, base, kind):
                shown = furnished.ask("GET", page, token)
                if shown.status_code != 200:
                    faults.append((case, page.rpartition("/")[2], shown.status_code))
    for page in _PAGES_OVER_ALL:
        assert furnished.ask("GET", base + page, token).status_code == 200, page
    assert faults == []


_PAGES_OVER_ALL = ("/pipelines/-/stats", "/datasets/-/stats")
"""They read every report, so that asking for them once is enough."""


def _pages_of(furnished: Furnished, base: str, kind: str) -> list[str]:
    if kind == "job_result":
        run = f"{base}/job-runs/{furnished.finished.run_id}"
        return [f"{run}/result", f"{run}/result-trace"]
    newest = furnished.ask("GET", f"{base}/pipeline-runs?limit=1", furnished.dataplane_token)
    if newest.status_code != 200:
        return [f"{base}/pipeline-runs"]
    one = f"{base}/pipeline-runs/{newest.json()['items'][0]['id']}"
    return [one, f"{one}/trace"]
