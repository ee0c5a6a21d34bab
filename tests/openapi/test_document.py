"""Every operation keeps to the OpenAPI document, whatever it is asked with: Schemathesis makes the requests.

Ids are mostly ones that are there and credentials ones that are let in: requests get past the first refusal.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from homeport.api import routes
from homeport.api.routes import ROUTES

from ..furnished import Furnished, takes_bytes
from ..world import World

EXAMPLES = int(os.environ.get("HOMEPORT_TEST_FUZZ_EXAMPLES", "0"))
FEW = 8


def _document() -> dict[str, Any]:
    app = FastAPI(title="Homeport", version="0")
    routes.install(app)
    return app.openapi()


SCHEMA = schemathesis.openapi.from_dict(_document())
schemathesis.serializer.alias("application/gzip", "application/octet-stream")
CHECKED = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def furnished(world: World) -> Furnished:
    return Furnished(world)


@pytest.mark.timeout(3600 if EXAMPLES else 300)
@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _, _ in ROUTES])
def test_an_operation_keeps_to_the_document(furnished: Furnished, method: str, path: str) -> None:
    operation = SCHEMA[path.replace(":path}", "}")][method]
    good = operation.as_strategy()
    bad = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES or FEW,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=good | bad, is_there=st.integers(0, 9).map(bool))
    def holds(case: schemathesis.Case, is_there: bool) -> None:
        if is_there:
            case.path_parameters = furnished.ids_of(method, path)
        if path.endswith("/control"):
            case.query = {"wait": 0}
        bearer = furnished.bearer_of(method, path)
        case.headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        case.cookies = {}
        response = case.call(app=furnished.app)
        assert response.status_code < 500
        case.validate_response(response, checks=CHECKED)

    holds()


def test_everything_that_can_be_sent_has_a_bound() -> None:
    """What has none reaches a column that has."""
    document = _document()
    unbound = [
        (method, path, *place)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not takes_bytes(path)
        for name, schema in _sent(operation)
        for place in _unbound(document, schema, (name,))
    ]
    assert unbound == []


def _sent(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter["schema"]
    if "requestBody" in operation:
        yield "body", operation["requestBody"]["content"]["application/json"]["schema"]


def _unbound(
    document: dict[str, Any], schema: dict[str, Any], place: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _unbound(document, part, place)
    for part in (*schema.get("prefixItems", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _unbound(document, part, (*place, "[]"))
    for name, part in schema.get("properties", {}).items():
        yield from _unbound(document, part, (*place, name))
    needed = {"string": {"maxLength"}, "integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"}}
    needed["array"] = {"maxItems"}
    has_bounds = needed.get(schema.get("type", ""), set()) <= schema.keys()
    if not has_bounds and not {"enum", "const", "format"} & schema.keys():
        yield place
