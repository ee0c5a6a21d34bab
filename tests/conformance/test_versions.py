"""Code, configuration and variables of a workspace."""

import json
from typing import Any

import dlthub_sdk as released
import pytest
from dlthub_sdk import VariableChangeStatus

from ..builders import package, requirements
from .ledger import Sdk

pytestmark = pytest.mark.acceptance
covers = pytest.mark.covers


@covers(
    "Deployments.upload",
    "Deployments.get",
    "Deployments.latest",
    "Deployments.count",
    "Deployments.list",
    "Deployment.files",
)
def test_code_is_kept_in_versions(sdk: Sdk, fresh: Any) -> None:
    here = fresh.deployments
    sdk.refused(released.NotFound, here.latest)
    made = [_upload(sdk, here, number) for number in range(2)]
    assert [each.version for each in made] == [1, 2]
    assert (made[0].file_count, made[0].content_hash != made[1].content_hash) == (1, True)
    assert sdk(here.latest).id == sdk(here.get, version=2).id == made[1].id
    sdk.refused(released.NotFound, here.get, version=3)
    assert [each.version for each in sdk(here.list)] == [2, 1]
    assert sdk(here.count) == 2
    assert [(file.relative_path, file.size_bytes) for file in sdk(made[1].files)] == [("job.py", 5)]


def _upload(sdk: Sdk, here: Any, number: int) -> Any:
    code = package({"job.py": f"n = {number}"})
    return sdk(here.upload, code=code, requirements=json.dumps(requirements()).encode())


@covers(
    "Configurations.upload",
    "Configurations.get",
    "Configurations.latest",
    "Configurations.count",
    "Configurations.list",
    "Configuration.files",
)
def test_configuration_is_kept_in_versions_past_the_first_page(sdk: Sdk, fresh: Any) -> None:
    here = fresh.configurations
    sdk.refused(released.NotFound, here.latest)
    for number in range(101):
        made = sdk(here.upload, data=package({"prod.config.toml": f"number = {number}"}))
        assert (made.version, made.profiles) == (number + 1, ("prod",))
    assert sdk(here.latest).id == sdk(here.get, version=101).id == made.id
    assert [each.version for each in sdk(here.list)] == list(range(101, 0, -1))
    assert [each.version for each in sdk(here.list, limit=2, offset=50)] == [51, 50]
    assert sdk(here.count) == 101
    sdk.refused(released.NotFound, here.get, version=102)
    assert [file.relative_path for file in sdk(made.files)] == ["prod.config.toml"]
    sdk.refused(released.BadRequest, here.upload, data=b"no archive")


@covers("Variables.list", "Variables.apply", "Variables.set", "Variables.delete", "Variables.get")
def test_variables_by_scope_and_secrets_stay_secret(sdk: Sdk, fresh: Any) -> None:
    here = fresh.variables
    changes = sdk(here.apply, profile=None, upserts={"PLAIN": "1"}, secrets={"HIDDEN": "2"}, deletes=["NEVER"])
    assert {each.name: each.status for each in changes} == {
        "PLAIN": VariableChangeStatus.UPSERTED,
        "HIDDEN": VariableChangeStatus.UPSERTED,
        "NEVER": VariableChangeStatus.NOT_FOUND,
    }
    assert sdk(here.set, "PLAIN", "", profile="prod").status is VariableChangeStatus.UPSERTED
    assert sdk(here.get, "PLAIN", profile=None).value == "1"
    assert sdk(here.get, "PLAIN", profile="prod").value == ""
    assert sdk(here.get, "HIDDEN", profile=None).value is None
    assert [scope.profile for scope in sdk(here.list)] == [None, "prod"]
    assert [len(scope.variables) for scope in sdk(here.list, profile="dev")] in ([0], [])
    assert [scope.profile for scope in sdk(here.list, profile=None)] == [None]
    sdk.refused(released.NotFound, here.get, "HIDDEN", profile="prod")
    sdk.refused(released.BadRequest, here.set, "PATH", "x", profile=None)
    sdk.refused(released.BadRequest, here.set, "EMPTY", "", profile=None, secret=True)
    assert sdk(here.delete, "PLAIN", profile=None).status is VariableChangeStatus.REMOVED
    assert sdk(here.delete, "PLAIN", profile=None).status is VariableChangeStatus.NOT_FOUND
