"""Which packages a job's environment has, from the requirements its workspace was uploaded with.

Only the composition; building is the runner's (`homeport_runner/environment.py`), on the node where the run is.
Run contract §4.2.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from homeport.contract import dlt_deployment
from homeport.contract.runner_protocol import EnvironmentLaunch

_LAYOUT = 1
"""Part of every key: raise it when the runner builds environments differently."""

_EXCLUDED = "dlthub"
"""Its licence forbids use with other schedulers; `from dlt.hub import run` works without it."""

_EXCLUDED_EXTRA = "hub"
"""The extra of dlt that would bring it in."""

_PROVIDED = "homeport"
"""What a run needs of it, the documented import, is put into every environment by the runner."""

_SQLGLOT = "sqlglot<30.22"
"""From 30.22 on, `pipeline.dataset()` of the dlt versions below raises TypeError, and dlt itself sets no bound."""

_DLT_GOOD_WITH_ANY_SQLGLOT = Version("1.32")


def compose(requirements: Mapping[str, Any], definition: dlt_deployment.Definition) -> EnvironmentLaunch:
    """The environment of one job: default groups, the job's own groups, its launcher's base."""
    own = list(_own_lines(requirements, definition))
    notes: list[str] = []
    lines = [kept for line in own if (kept := _admitted(line, notes)) is not None]
    # every launcher list names the excluded package; that says nothing about the workspace, so no note
    lines += [kept for line in _launcher_lines(requirements, definition) if (kept := _admitted(line, []))]
    dlt_version = str(requirements["dlt_version"]["version"])
    names = {_name_of(line) for line in lines}
    if "dlt" not in names:
        lines.append(f"dlt=={dlt_version}")
    if "sqlglot" not in names and Version(dlt_version) < _DLT_GOOD_WITH_ANY_SQLGLOT:
        lines.append(_SQLGLOT)
        notes.append(
            f"{_SQLGLOT}: datasets of dlt {dlt_version} fail with newer ones. Name sqlglot in your own "
            "dependencies to choose another."
        )
    # the order is kept: a resolver settles what comes first first
    lines = sorted(dict.fromkeys(lines), key=_is_implied)
    python_version = str(requirements["python_version"])
    return EnvironmentLaunch(
        key=_key(python_version, lines), python_version=python_version, requirements=lines, notes=notes
    )


def missing_groups(requirements: Mapping[str, Any], definition: dlt_deployment.Definition) -> list[str]:
    """Dependency groups that a job names and its workspace does not have."""
    return [name for name in _job_groups(definition) if name not in requirements["groups"]]


def _job_groups(definition: dlt_deployment.Definition) -> list[str]:
    return list(definition.get("require", {}).get("dependency_groups") or [])


def _own_lines(requirements: Mapping[str, Any], definition: dlt_deployment.Definition) -> Iterator[str]:
    for group in dict.fromkeys([*requirements["default_groups"], *_job_groups(definition)]):
        yield from requirements["groups"].get(group, [])


def _launcher_lines(requirements: Mapping[str, Any], definition: dlt_deployment.Definition) -> Iterable[str]:
    lists: Mapping[str, list[str]] = requirements["launcher_requirements"]
    fallback = lists.get(dlt_deployment.fallback_launcher(), [])
    return lists.get(dlt_deployment.launcher_of(definition), fallback)


def _admitted(line: str, notes: list[str]) -> str | None:
    """The requirement as it goes into the environment; none when it stays out. Says so in `notes`."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return line  # for uv to refuse, in its own words
    name = canonicalize_name(requirement.name)
    if name == _EXCLUDED:
        notes.append(
            f"{requirement} is left out: its licence forbids use outside dltHub's own platform. "
            "`from dlt.hub import run` works without it."
        )
        return None
    if name == _PROVIDED:
        return None
    if name == "dlt" and _EXCLUDED_EXTRA in requirement.extras:
        notes.append(
            f"{requirement} is installed without its 'hub' extra: that would bring in {_EXCLUDED}, whose licence "
            "forbids use outside dltHub's own platform. `from dlt.hub import run` works without it."
        )
        requirement.extras.discard(_EXCLUDED_EXTRA)
    if requirement.url and requirement.url.startswith("file:"):
        notes.append(
            f"{requirement.name} points at {requirement.url}, a path of the machine that deployed: it is probably "
            "not here. Depend on a released version or a git URL instead."
        )
    return str(requirement)


def _is_implied(line: str) -> bool:
    """Named first, an unpinned botocore is taken in its newest version; the only s3fs that goes with that is years
    old, and found after half a minute. Named last, s3fs chooses the botocore it works with."""
    return line == "botocore"


def _name_of(line: str) -> str | None:
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return None


def _key(python_version: str, lines: list[str]) -> str:
    document = json.dumps([_LAYOUT, python_version, lines])
    return hashlib.sha256(document.encode()).hexdigest()[:32]
