"""`from dlt.hub import run`, as dlt's documentation writes it, works in all four places."""

import pytest

from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

SHOP = """
from dlt.hub import run
from dlt.hub.run import trigger


@run.job(trigger=trigger.schedule("0 3 1 1 *"))
def bake():
    print("the import works under", run.__name__)


if __name__ == "__main__":
    bake()
"""


def test_the_documented_import_works_at_home_and_on_the_server(workspace: Workspace) -> None:
    workspace.write({"shop.py": SHOP, "__deployment__.py": "from shop import bake\n\n__all__ = ['bake']\n"})
    works = "the import works under dlt.hub.run"
    plain = workspace.call("python", "shop.py")
    assert (plain.exit_code, works in plain.output) == (0, True), plain.output
    assert works in workspace.dlthub("local", "run", "bake")
    assert "+ bake (trigger: schedule:0 3 1 1 *)" in workspace.dlthub("deploy")
    run = workspace.run("bake")
    assert works in workspace.text(run["id"])
