"""The drawing of the rooms is kept true, and what must stand alone does."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
STANDING_ALONE = [*sorted((SOURCE / "homeport_runner").rglob("*.py")), SOURCE / "homeport_dlt_hub.py"]


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything that is imported anywhere in a module; relative imports are its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("path", STANDING_ALONE, ids=lambda path: path.stem)
def test_what_runs_where_homeport_is_not_installed_imports_the_standard_library_only(path: Path) -> None:
    names = set(imported(ast.parse(path.read_text())))
    assert names - sys.stdlib_module_names <= {"homeport_runner"}


def test_imports_go_downwards_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")} - {SOURCE}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_dlts_private_modules_are_touched_in_one_file() -> None:
    touching = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "homeport").rglob("*.py")
        if "dlt._" in path.read_text() and any(name == "dlt" for name in imported(ast.parse(path.read_text())))
    }
    assert touching == {"homeport/contract/dlt_deployment.py"}


def test_the_excluded_package_is_imported_nowhere() -> None:
    importing = [path for path in SOURCE.rglob("*.py") if "dlthub" in set(imported(ast.parse(path.read_text())))]
    assert importing == []
