"""The one place that calls dlt's private deployment code: fails loudly when that moves."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt._workspace.deployment import manifest, requirements
from packaging.version import Version

from homeport.contract import dlt_deployment
from homeport.errors import BadRequest

from ..builders import LAUNCHERS, definition, interactive
from ..builders import requirements as requirements_manifest


def test_the_dlt_beside_us_is_of_the_series_that_was_read() -> None:
    assert Version("1.31") <= Version(dlt.__version__) < Version("1.32")
    assert dlt_deployment.ENGINE_VERSION == 2


def test_a_well_formed_manifest_passes_as_it_is() -> None:
    jobs = [definition("a", "every:1h"), definition("b", "job.success:jobs.a")]
    checked = dlt_deployment.check_manifest(jobs, 2, "__deployment__")
    assert checked.jobs == jobs
    assert dlt_deployment.check_manifest(jobs, 2, None).jobs == jobs


def test_what_is_handed_in_is_not_changed() -> None:
    job = definition("a") | {"engine_version": 1, "refresh": "block"}
    before = json.dumps(job)
    checked = dlt_deployment.check_manifest([job], 1, None)
    assert checked.jobs[0]["refresh_propagation"] == "block"
    assert json.dumps(job) == before


def test_the_dashboard_that_the_client_adds_is_accepted() -> None:
    job: Any = manifest.default_dashboard_job()
    assert dlt_deployment.check_manifest([job], 2, "__deployment__").jobs == [job]


@pytest.mark.parametrize(
    ("job", "expanded", "default"),
    [
        (definition("a"), ["manual:jobs.a"], None),
        (definition("a", "every:1h", "tag:x"), ["every:1h", "tag:x", "manual:jobs.a"], "every:1h"),
        (definition("a", expose={"manual": False}), [], None),
        (definition("a", expose={"tags": "ingest"}), ["manual:jobs.a", "tag:ingest"], "tag:ingest"),
        (
            definition("a", deliver={"pipeline_name": "shop"}),
            ["manual:jobs.a", "pipeline_name:shop"],
            "pipeline_name:shop",
        ),
    ],
    ids=["plain", "timed", "hidden", "one tag as text", "a pipeline"],
)
def test_triggers_are_expanded_as_the_client_does(
    job: dict[str, Any], expanded: list[str], default: str | None
) -> None:
    assert sorted(dlt_deployment.expanded_triggers(job)) == sorted(expanded)
    assert dlt_deployment.default_trigger(job) == default


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        ("tag:*", ["tag:x"]),
        ("batch", ["manual:jobs.a", "tag:x"]),
        ("interactive", []),
        ("manual:jobs.a", ["manual:jobs.a"]),
        ("schedule:*", []),
    ],
)
def test_selectors_match_as_the_client_matches_them(selector: str, matched: list[str]) -> None:
    found = dlt_deployment.matched_triggers("batch", ["manual:jobs.a", "tag:x"], [selector], "jobs.a")
    assert found == matched


def test_the_default_is_picked_when_it_matched() -> None:
    assert dlt_deployment.picked_trigger(["tag:x", "every:1h"], "every:1h") == "every:1h"
    assert dlt_deployment.picked_trigger(["tag:x"], "every:1h") == "tag:x"


def test_the_hash_is_the_clients_and_knows_no_key_order() -> None:
    job = definition("a", "every:1h")
    assert dlt_deployment.definition_hash(job) == manifest.hash_job_definition(job)  # type: ignore[arg-type]
    assert dlt_deployment.definition_hash(dict(reversed(job.items()))) == dlt_deployment.definition_hash(job)
    assert dlt_deployment.definition_hash(definition("a", "every:2h")) != dlt_deployment.definition_hash(job)


def test_the_entry_point_has_both_bounds_of_the_window() -> None:
    window = datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)
    install = requirements_manifest()["dlt_version"]
    point = dlt_deployment.entry_point(
        definition("a"), profile="prod", refresh=True, interval=window, dlt_install=install
    )
    json.dumps(point)
    assert {"job_ref", "module", "function", "launcher", "profile", "refresh"} <= set(point)
    assert {"interval_start", "interval_end"} <= set(point)


@pytest.mark.parametrize(
    ("job", "launcher"),
    [
        (definition("a"), f"{LAUNCHERS}.job"),
        (interactive("a"), f"{LAUNCHERS}.marimo"),
        ({"entry_point": {"module": "m", "function": None}}, f"{LAUNCHERS}.module"),
        ({"entry_point": {"module": "m", "function": "f"}}, f"{LAUNCHERS}.job"),
    ],
)
def test_the_launcher_is_the_jobs_or_the_one_for_its_form(job: dict[str, Any], launcher: str) -> None:
    assert dlt_deployment.launcher_of(job) == launcher


def test_the_clients_own_requirements_are_read(tmp_path: Path) -> None:
    with (tmp_path / "requirements.json").open("wb") as file:
        requirements.save_requirements(requirements.default_requirements_manifest(), file)
    found = dlt_deployment.read_requirements((tmp_path / "requirements.json").read_bytes())
    assert found["engine_version"] == 2
    assert dlt_deployment.fallback_launcher() in found["launcher_requirements"]


def test_older_requirements_are_migrated() -> None:
    older = {name: value for name, value in requirements_manifest("duckdb").items() if name != "dlt_version"}
    found = dlt_deployment.read_requirements(json.dumps(older | {"engine_version": 1}).encode())
    assert found["dlt_version"]["version"] == "1.28.0"


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"null", b"{}", b'{"engine_version": 3}', b"\xff"])
def test_what_is_no_requirements_manifest_is_refused(document: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        dlt_deployment.read_requirements(document)
    assert refused.value.code == "invalid_requirements"


@pytest.mark.parametrize("trigger", ["every:1h", "schedule:0 8 * * *", "tag:x", "manual:jobs.a", "nonsense"])
def test_there_are_words_for_every_trigger(trigger: str) -> None:
    assert dlt_deployment.humanized(trigger)


def test_labels_and_categories_are_dlts() -> None:
    job = definition("shop.load", expose={"display_name": "Fruit shop", "category": "pipeline"})
    assert "Fruit shop" in dlt_deployment.label(job)
    assert dlt_deployment.category(job) == "pipeline"
    assert dlt_deployment.category(definition("a")) == "batch"
