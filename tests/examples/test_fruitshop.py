"""The example workspace runs as its README says, with the real dlt and the real `dlthub` command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FRUITSHOP = Path(__file__).parents[2] / "examples" / "fruitshop"
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "data", "state", ".venv", "*secrets.toml")


def fresh_copy(folder: Path) -> Path:
    return shutil.copytree(FRUITSHOP, folder, ignore=LEFT_BEHIND)


def call(workspace: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in the workspace, in an environment that knows nothing but the path and a home."""
    known = {"PATH": os.environ["PATH"], "HOME": str(workspace.parent), "PYTHONUTF8": "1"}
    return subprocess.run(
        command, cwd=workspace, env={**known, **environment}, capture_output=True, text=True, check=False
    )


def output_of(workspace: Path, *command: str, **environment: str) -> str:
    done = call(workspace, *command, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def local_run(job: str) -> list[str]:
    return [str(Path(sys.executable).with_name("dlthub")), "local", "run", job]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return fresh_copy(tmp_path / "fruitshop")


def test_the_manifest_declares_three_jobs_and_their_triggers(workspace: Path) -> None:
    code = (
        "import json; from dlt._workspace.deployment.manifest import manifest_from_module;"
        "manifest, warnings = manifest_from_module('__deployment__');"
        "print(json.dumps([manifest, warnings], default=str))"
    )
    manifest, warnings = json.loads(output_of(workspace, *python("-c", code)))
    jobs = {job["job_ref"]: job for job in manifest["jobs"]}
    assert warnings == []
    assert manifest["description"].startswith("Fruit shop")
    assert {ref: job["triggers"] for ref, job in jobs.items()} == {
        "jobs.fruitshop_pipeline.load_fruitshop": ["every:5m"],
        "jobs.fruitshop_quality.check_fruitshop": ["schedule:0 * * * *"],
        "jobs.fruitshop_report.report_revenue": ["job.success:jobs.fruitshop_pipeline.load_fruitshop"],
        "jobs.workspace.dashboard": ["http:"],
    }
    ingest = jobs["jobs.fruitshop_pipeline.load_fruitshop"]
    assert ingest["deliver"] == {"pipeline_name": "fruitshop_pipeline"}
    assert ingest["expose"]["tags"] == ["ingest"]
    assert ingest["expose"]["display_name"] == "Fruit shop ingest"


def test_ingest_quality_and_report_run_locally(workspace: Path) -> None:
    loaded = "Loaded 9 customers, 5 inventory, 100 purchases into fruitshop_data."
    assert loaded in output_of(workspace, *local_run("load_fruitshop"))
    assert "25 purchases" in output_of(workspace, *local_run("tag:ingest"))
    assert "FAIL" not in output_of(workspace, *local_run("check_fruitshop"))
    assert output_of(workspace, *local_run("report_revenue")).splitlines()[-1].split() == [
        "total",
        "866",
        "513.63",
    ]
    assert (workspace / ".dlt" / "data" / "dev" / "warehouse.duckdb").is_file()


def test_the_plain_script_runs_with_and_without_the_client(workspace: Path) -> None:
    counted = "Counted 5 shelves, 3910 pieces."
    assert counted in output_of(workspace, *python("stocktake.py"))
    assert counted in output_of(workspace, *local_run("stocktake.py"))


def test_what_prod_loads_outlives_its_folder_and_access_reads_it(tmp_path: Path) -> None:
    kept = {"WORKSPACE__SETTINGS__LOCAL_DIR": str(tmp_path / "kept")}
    first, second, third = (fresh_copy(tmp_path / name) for name in ("first", "second", "third"))
    assert "100 purchases" in output_of(first, *python("fruitshop_pipeline.py"), WORKSPACE__PROFILE="prod", **kept)
    assert "25 purchases" in output_of(second, *python("fruitshop_pipeline.py"), WORKSPACE__PROFILE="prod", **kept)
    report = output_of(third, *python("fruitshop_report.py"), WORKSPACE__PROFILE="access", **kept)
    assert "866" in report


def test_quality_fails_on_bad_data_and_on_none(workspace: Path) -> None:
    empty = call(workspace, *python("fruitshop_quality.py"))
    assert empty.returncode == 1
    assert "There is nothing in the warehouse yet: run load_fruitshop first." in empty.stderr
    output_of(workspace, *python("fruitshop_pipeline.py"))
    spoil = (
        "import duckdb; db = duckdb.connect('.dlt/data/dev/warehouse.duckdb');"
        "db.execute('UPDATE fruitshop_data.purchases SET quantity = 0 WHERE id IN (1, 2)')"
    )
    output_of(workspace, *python("-c", spoil))
    spoiled = call(workspace, *python("fruitshop_quality.py"))
    assert spoiled.returncode == 1
    assert "FAIL  purchases of nothing: 2" in spoiled.stdout
    assert "RuntimeError: Data quality checks failed: 2 purchases of nothing" in spoiled.stderr
