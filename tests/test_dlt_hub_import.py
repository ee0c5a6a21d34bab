"""The documented import works with open dlt alone, and DuckDB 2 with dlt 1.31; unused, that costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest


def run_file(folder: Path, code: str) -> str:
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "lines",
    [
        "from dlt.hub import run\nfrom dlt.hub.run import trigger",
        "from dlt.hub.run import trigger\nfrom dlt.hub import run",
        "import dlt\nfrom dlt.hub import run\ntrigger = run.trigger",
        "import dlt.hub\nrun = dlt.hub.run\ntrigger = run.trigger",
    ],
)
def test_the_import_works_in_a_plain_script(tmp_path: Path, lines: str) -> None:
    code = f"{lines}\nprint(run.pipeline.__name__, run.job.__name__, trigger.every('5m'))"
    assert run_file(tmp_path, code) == "pipeline_run job every:5m"


def test_the_interpreter_starts_without_dlt(tmp_path: Path) -> None:
    assert run_file(tmp_path, "import sys; print('dlt' in sys.modules)") == "False"


def test_importing_dlt_does_not_import_the_decorators(tmp_path: Path) -> None:
    assert run_file(tmp_path, "import dlt, sys; print('dlt.hub.run' in sys.modules)") == "False"


def test_what_is_missing_is_refused_in_dlts_words(tmp_path: Path) -> None:
    code = """
from dlt.common.exceptions import MissingDependencyException
try:
    from dlt.hub import transformation
except MissingDependencyException as refused:
    print(refused.caller, refused.dependencies)
"""
    assert run_file(tmp_path, code) == "dlt.hub ['dlt[hub]']"


def test_installing_again_is_harmless(tmp_path: Path) -> None:
    code = """
import sys, homeport_dlt_hub
finders = list(sys.meta_path)
homeport_dlt_hub.install()
assert sys.meta_path == finders
from dlt.hub import run
import duckdb
homeport_dlt_hub.install()
assert not any(type(f).__module__ == "homeport_dlt_hub" for f in sys.meta_path)
from dlt.hub import run as again
print(run is again)
"""
    assert run_file(tmp_path, code) == "True"


def test_arrow_tables_are_had_of_the_newest_duckdb(tmp_path: Path) -> None:
    code = """
import importlib.util
assert importlib.util.find_spec("duckdb")  # as libraries do that use it if it is there
import dlt
pipeline = dlt.pipeline("shop", pipelines_dir="state", destination="duckdb", dataset_name="fruit")
pipeline.run([{"id": 1}, {"id": 2}], table_name="apples")
print(pipeline.dataset().apples.arrow().num_rows)
"""
    assert run_file(tmp_path, code) == "2"


def test_duckdb_is_not_imported_for_it_and_is_otherwise_as_it_was(tmp_path: Path) -> None:
    code = """
import sys
assert "duckdb" not in sys.modules
import duckdb, importlib.resources
print(duckdb.sql("select 42").fetchall(), importlib.resources.files("duckdb").joinpath("__init__.py").is_file())
"""
    assert run_file(tmp_path, code) == "[(42,)] True"
