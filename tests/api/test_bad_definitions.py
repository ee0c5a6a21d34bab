"""Job definitions are documents of others' making: spoiled at any place, they are refused or deployed.

What was deployed can be started and looked at.
"""

import pytest

from ..bad_values import as_json, spoiled
from ..builders import definition
from ..databases import on_both
from ..furnished import Furnished
from ..world import World

JSON = {"Content-Type": "application/json"}

DEFINITION = definition(
    "shop.load",
    "every:1h",
    "job.success:jobs.a",
    "tag:nightly",
    description="Loads the shop",
    expose={"display_name": "Load", "tags": ["ingest", "daily"], "manual": True, "category": "pipeline"},
    execute={"concurrency": 2, "timeout": {"timeout": 60, "grace_period": 5.0}, "intercept_signals": True},
    require={"profile": "prod", "timezone": "Europe/Berlin", "dependency_groups": ["main"]},
    deliver={"pipeline_name": "shop", "source_ref": "shop.source"},
    interval={"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"},
    freshness=["job.is_fresh:jobs.a"],
    refresh_propagation="auto",
    config_keys=["color"],
    inputs={"type": "object", "properties": {"color": {"type": "string"}}},
    default_trigger="every:1h",
)


@pytest.fixture
def furnished(world: World) -> Furnished:
    return Furnished(world)


@on_both
def test_a_job_definition_is_refused_or_deployed(furnished: Furnished) -> None:
    """Each deploy is of a module of its own, so that each goes to its end."""
    ws = f"/api/v1/workspaces/{furnished.world.workspace.id}"
    key, faults, taken = furnished.world.api_key, [], 0
    for case, job in spoiled(DEFINITION):
        request = {
            "job_definition_engine_version": 2,
            "job_definition_hash": "h",
            "jobs": [definition("a", "every:1h"), job],
            "deployment_module": "spoiled",
        }
        answer = furnished.ask("POST", f"{ws}/-deploy", key, content=as_json(request), headers=JSON)
        taken += answer.status_code == 200
        if answer.status_code not in (200, 400):
            faults.append((case, answer.status_code, answer.text[:200]))
        if answer.status_code == 200:
            for row in answer.json()["job_receipt"]["succeeded"]:
                started = {"job_id": row["job"]["id"], "skip_freshness": True, "mode": "when_not_running"}
                run = furnished.ask("POST", f"{ws}/job-runs", key, json=started)
                if run.status_code >= 500:
                    faults.append((case, "run", run.status_code))
                elif run.status_code == 201:
                    furnished.ask("POST", f"{ws}/job-runs/{run.json()['id']}/-cancel", key)
            shown = furnished.ask("GET", f"{ws}/jobs", key, params={"recent_job_runs_limit": 1})
            if shown.status_code != 200:
                faults.append((case, "list", shown.status_code))
    assert taken > 50
    assert faults == [], "\n".join(map(str, faults))
