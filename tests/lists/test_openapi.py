"""The OpenAPI document says what the doors do."""

from ..world import World
from .conftest import Ask

MISSING = ("/healthz", "/readyz")


def test_every_operation_names_its_answer_and_the_shape_of_its_errors(world: World, ask: Ask) -> None:
    document = ask("GET", "/api/openapi.json").json()
    for path, operations in document["paths"].items():
        if path in MISSING or not path.startswith(("/api/", "/auth/", "/logs/", "/telemetry/", "/beacon/")):
            continue
        for operation in operations.values():
            answers = operation["responses"]
            assert not {"422", "default", "4XX"} & answers.keys(), path
            shape = answers["400"]["content"]["application/json"]["schema"]
            assert shape == {"$ref": "#/components/schemas/ErrorBody"}, path


def test_lists_document_what_they_can_be_asked_for(ask: Ask) -> None:
    document = ask("GET", "/api/openapi.json").json()
    operation = document["paths"]["/api/v1/workspaces/{workspace_id}/job-runs"]["get"]
    parameters = {item["name"]: item["schema"] for item in operation["parameters"]}
    assert parameters["limit"]["maximum"] == 1000
    assert parameters["sort"]["items"]["enum"] == [
        "created_at",
        "duration_seconds",
        "finished_at",
        "number",
        "started_at",
    ]
    assert {"q", "status", "trigger_kind", "min_duration_seconds", "timezone", "cursor"} <= set(parameters)
