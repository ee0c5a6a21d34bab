"""Which packages the environment of a job has."""

from typing import Any

import pytest

from homeport.execution import environments

from ..builders import LAUNCHERS, definition, requirements

SQLGLOT = "sqlglot<30.22"


def composed(*main: str, job: dict[str, Any] | None = None, **parts: Any) -> Any:
    return environments.compose(requirements(*main, **parts), job or definition("a"))


def lines(*main: str, job: dict[str, Any] | None = None, **parts: Any) -> list[str]:
    return [line for line in composed(*main, job=job, **parts).requirements if line != SQLGLOT]


def notes(*main: str, **parts: Any) -> list[str]:
    return list(composed(*main, **parts).notes)


def test_default_groups_and_the_launchers_base_are_installed_together() -> None:
    own = {f"{LAUNCHERS}.job": ["pyarrow", "dlt==1.31.0"]}
    assert lines("duckdb>=1", launcher_requirements=own) == ["duckdb>=1", "pyarrow", "dlt==1.31.0"]


def test_what_the_hosted_platforms_store_needs_is_left_out_unless_the_workspace_names_it() -> None:
    assert lines("duckdb") == ["duckdb", "dlt==1.31.0"]
    assert lines("s3fs", "botocore==1.40.0") == ["s3fs", "botocore==1.40.0", "dlt==1.31.0"]
    assert notes("duckdb") == []


def test_the_excluded_package_is_dropped_silently_from_the_launchers_list() -> None:
    assert not any("dlthub" in line for line in lines())
    assert notes() == []


@pytest.mark.parametrize("line", ["dlthub", "dlthub==0.20.0", "DltHub>=0.1", 'dlthub[x]; python_version > "3"'])
def test_a_workspace_that_names_the_excluded_package_gets_one_line_with_the_reason(line: str) -> None:
    assert not any(kept.lower().startswith("dlthub") for kept in lines(line))
    [note] = notes(line)
    assert "licence" in note


@pytest.mark.parametrize("line", ["dlthub-client>=0.28", "dlthub_client"])
def test_the_open_client_is_kept(line: str) -> None:
    assert line in lines(line)
    assert notes(line) == []


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("dlt[hub]==1.31.0", "dlt==1.31.0"),
        ("dlt[duckdb,hub]>=1.30", "dlt[duckdb]>=1.30"),
        ("dlt[hub] @ git+https://github.com/dlt-hub/dlt@devel", "dlt@ git+https://github.com/dlt-hub/dlt@devel"),
    ],
)
def test_dlt_loses_the_extra_that_would_bring_it_in_and_says_so(line: str, kept: str) -> None:
    found = lines(line, launcher_requirements={})
    assert [each.replace(" @", "@") for each in found] == [kept]
    [note] = notes(line)
    assert "hub" in note
    assert "licence" in note


def test_homeport_itself_is_not_installed() -> None:
    assert not any("homeport" in line for line in lines("homeport[server]==0.1.0", "duckdb"))
    assert notes("homeport") == []


def test_the_groups_that_a_job_names_are_added() -> None:
    job = definition("a", require={"dependency_groups": ["gpu", "main"]})
    found = lines("duckdb", job=job, groups={"main": ["duckdb"], "gpu": ["torch"], "docs": ["sphinx"]})
    assert found == ["duckdb", "torch", "dlt==1.31.0"]


def test_groups_that_are_missing_are_named() -> None:
    job = definition("a", require={"dependency_groups": ["gpu", "main"]})
    assert environments.missing_groups(requirements(), job) == ["gpu"]


def test_an_unknown_launcher_gets_the_job_launchers_base() -> None:
    job = definition("a")
    job["entry_point"]["launcher"] = "somebody.elses.launcher"
    assert "pyarrow" in lines(job=job, launcher_requirements={f"{LAUNCHERS}.job": ["pyarrow"]})


def test_a_known_launcher_gets_its_own() -> None:
    job = definition("a")
    job["entry_point"]["launcher"] = f"{LAUNCHERS}.marimo"
    assert lines(job=job, launcher_requirements={f"{LAUNCHERS}.marimo": ["marimo", "dlt==1.31.0"]}) == [
        "marimo",
        "dlt==1.31.0",
    ]


def test_dlt_is_added_where_nothing_names_it() -> None:
    assert lines("duckdb", launcher_requirements={}) == ["duckdb", "dlt==1.31.0"]


@pytest.mark.parametrize(
    ("named", "wanted"),
    [
        ([], SQLGLOT),
        (["sqlglot==30.22.1"], SQLGLOT),
        (["sqlglot==30.21.0"], "sqlglot==30.21.0"),
        (["sqlglot>=30"], "sqlglot>=30"),
    ],
    ids=["not named", "pinned by the client's resolver", "pinned to a good one", "chosen"],
)
def test_datasets_of_this_dlt_get_a_sqlglot_that_they_work_with(named: list[str], wanted: str) -> None:
    found = composed(*named)
    assert [line for line in found.requirements if line.startswith("sqlglot")] == [wanted]


def test_a_replaced_pin_is_told_and_can_be_fallen_back_to() -> None:
    found = composed("sqlglot==30.22.1")
    assert "sqlglot==30.22.1" in (found.fallback or [])
    [note] = found.notes
    assert "sqlglot==30.22.1" in note


def test_a_dlt_without_that_fault_is_left_alone() -> None:
    install = requirements()["dlt_version"] | {"version": "1.32.0"}
    found = composed("dlt==1.32.0", dlt_version=install, launcher_requirements={})
    assert (found.requirements, found.fallback) == (["dlt==1.32.0"], None)


def test_a_path_of_the_clients_machine_is_kept_with_a_warning() -> None:
    line = "mine @ file:///home/alice/mine"
    assert any("file:///home/alice/mine" in kept for kept in lines(line))
    [note] = notes(line)
    assert "git" in note


def test_what_cannot_be_read_is_left_to_uv() -> None:
    assert "not a requirement!" in lines("not a requirement!")


def test_equal_requirements_have_an_equal_key_and_others_another() -> None:
    key = composed("duckdb", "polars").key
    assert composed("duckdb", "polars").key == key
    assert composed("duckdb", "polars", "polars").key == key
    others = [
        composed("duckdb"),
        composed("polars", "duckdb"),
        composed("duckdb", "polars", python_version="3.12"),
    ]
    assert key not in {other.key for other in others}
    assert key.isalnum()


def test_notes_are_no_part_of_the_key() -> None:
    assert composed("duckdb").key == composed("duckdb", "dlthub").key
