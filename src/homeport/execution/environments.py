"""Which packages a job's environment has, from the requirements its workspace was uploaded with.

Only the composition; building is the runner's (`homeport_runner/environment.py`), on the node where the run is.
Run contract §4.2.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from homeport.contract import dlt_deployment
from homeport.contract.runner_protocol import EnvironmentLaunch

_LAYOUT = 2
"""Part of every key: raise it when the runner builds environments differently."""

_EXCLUDED = "dlthub"
"""Its licence forbids use with other schedulers; `from dlt.hub import run` works without it."""

_EXCLUDED_EXTRA = "hub"
"""The extra of dlt that would bring it in."""

_PROVIDED = "homeport"
"""What a run needs of it, the documented import, is put into every environment by the runner."""

_OF_THE_PLATFORMS_STORE = frozenset({"botocore", "s3fs"})
"""The hosted platform's launchers bring these along for its own artifact store, which is S3. Here nothing needs
them, and with the pinned packages of a `uv.lock` they cost a minute of resolving and end at very old versions.
A workspace that loads to S3 names `dlt[s3]` itself."""

_DATASETS_NEED = SpecifierSet("<30.22")
"""sqlglot: from 30.22 on, `pipeline.dataset()` of the dlt versions below raises TypeError; dlt sets no bound."""

_DLT_GOOD_WITH_ANY_SQLGLOT = Version("1.32")


def compose(
    requirements: Mapping[str, Any], definition: dlt_deployment.Definition, deployed_at: datetime | None = None
) -> EnvironmentLaunch:
    """The environment of one job: default groups, the job's own groups, its launcher's base."""
    notes: list[str] = []
    lines = [kept for line in _own_lines(requirements, definition) if (kept := _admitted(line, notes)) is not None]
    # every launcher list names the excluded package; that says nothing about the workspace, so no note
    lines += [kept for line in _launcher_lines(requirements, definition) if (kept := _admitted(line, []))]
    lines = list(dict.fromkeys(lines))
    dlt_version = str(requirements["dlt_version"]["version"])
    if not any(_name_of(line) == "dlt" for line in lines):
        lines.append(f"dlt=={dlt_version}")
    mended = _with_sqlglot_for_datasets(lines, dlt_version, notes)
    python_version = str(requirements["python_version"])
    return EnvironmentLaunch(
        key=_key(python_version, mended, lines),
        python_version=python_version,
        requirements=mended,
        fallback=lines if mended != lines else None,
        notes=notes,
        asked_at=None if deployed_at is None else deployed_at.timestamp(),
    )


def _with_sqlglot_for_datasets(lines: list[str], dlt_version: str, notes: list[str]) -> list[str]:
    """The requirements with a sqlglot that dlt's datasets work with, unless the workspace has chosen one.

    A pin is no choice: whatever was newest is pinned when the client resolves for the workspace.
    """
    if Version(dlt_version) >= _DLT_GOOD_WITH_ANY_SQLGLOT:
        return lines
    named = [line for line in lines if _name_of(line) == "sqlglot"]
    if any(not _is_pin_outside(line, _DATASETS_NEED) for line in named):
        return lines
    wanted = f"sqlglot{_DATASETS_NEED}"
    if named:
        replaced = ", ".join(named)
        notes.append(
            f"{wanted} is used in place of {replaced}: datasets of dlt {dlt_version} fail with newer ones."
        )
    return [*(line for line in lines if line not in named), wanted]


def _is_pin_outside(line: str, allowed: SpecifierSet) -> bool:
    specifiers = list(Requirement(line).specifier)
    return [s.operator for s in specifiers] == ["=="] and not allowed.contains(specifiers[0].version)


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
    listed = lists.get(dlt_deployment.launcher_of(definition), fallback)
    return [line for line in listed if _name_of(line) not in _OF_THE_PLATFORMS_STORE]


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


def _name_of(line: str) -> str | None:
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return None


def _key(python_version: str, *requirements: list[str]) -> str:
    document = json.dumps([_LAYOUT, python_version, *requirements])
    return hashlib.sha256(document.encode()).hexdigest()[:32]
