"""What a deploy is checked for beyond dlt's own validation (run contract §11.3: "not checked").

All faults are collected, so that one deploy tells them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from homeport.contract import dlt_deployment
from homeport.contract.base import MAX_INT, MAX_NAME_CHARS, MAX_PROFILE_CHARS
from homeport.contract.dlt_deployment import Definition
from homeport.errors import BadRequest
from homeport.execution import environments
from homeport.scheduling import instances
from homeport.scheduling.dependency_order import ALLOW_CYCLE, find_cycle, starts_of
from homeport.scheduling.triggers import parse_trigger
from homeport.scheduling.zones import parse_zone
from homeport.store import run_starts


def check(
    definitions: Sequence[Definition],
    *,
    profiles: list[str] | None,
    requirements: Mapping[str, Any] | None,
    is_dry_run: bool,
) -> list[str]:
    """Raise `BadRequest` with every fault; the answer are warnings.

    `profiles` and `requirements` are those of the versions that are active now, none where there are none yet.
    A dry run uploads nothing, so what only the next upload can tell is a warning there.
    """
    faults = [fault for definition in definitions for fault in _faults_of(definition)]
    if not faults:
        faults += _cycles(definitions)
    uncertain = [
        fault
        for definition in definitions
        for fault in (*_profile_faults(definition, profiles), *_group_faults(definition, requirements))
    ]
    if faults or (uncertain and not is_dry_run):
        raise dlt_deployment.invalid_manifest([*faults, *uncertain])
    return uncertain


def _faults_of(definition: Definition) -> Iterator[str]:
    ref = definition["job_ref"]
    zone = definition.get("require", {}).get("timezone") or "UTC"
    checks: list[Callable[[], object]] = [partial(parse_zone, zone)]
    checks += [partial(parse_trigger, text) for text in definition["triggers"]]
    checks.append(partial(dlt_deployment.expanded_triggers, definition))
    found = [fault for fault in (_fault(check) for check in checks) if fault is not None]
    found = found or list(_length_faults(definition))
    if not found:  # the interval is aligned to the trigger in the zone: both must be good to look at it
        interval_fault = _fault(lambda: run_starts.declared_interval(definition, zone))
        found += [interval_fault] if interval_fault else []
    yield from (f"{ref}: {fault}" for fault in found)
    yield from (f"{ref}: {fault}" for fault in _limit_faults(definition["execute"]))
    if (fault := instances.fault_in(definition)) is not None:
        yield f"{ref}: {fault}"


def _length_faults(definition: Definition) -> Iterator[str]:
    """Among the triggers are those made of the reference, of tags and of the pipeline's name."""
    triggers = dlt_deployment.expanded_triggers(definition)
    for text in (definition["job_ref"], *triggers, *map(str, definition.get("freshness") or ())):
        if len(text) > MAX_NAME_CHARS:
            yield f"'{text[:60]}…' has {len(text)} characters, and {MAX_NAME_CHARS} are kept at most: shorten it"
    profile = str(definition.get("require", {}).get("profile") or "")
    if len(profile) > MAX_PROFILE_CHARS:
        yield f"require.profile has {len(profile)} characters, at most {MAX_PROFILE_CHARS} are kept: shorten it"


def _fault(check: Callable[[], object]) -> str | None:
    try:
        check()
    except BadRequest as error:
        return error.message
    return None


def _limit_faults(execute: Mapping[str, Any]) -> Iterator[str]:
    concurrency = execute.get("concurrency")
    if concurrency is not None and not 1 <= concurrency <= MAX_INT:
        yield f"execute.concurrency is {concurrency}: use 1 or more, at most {MAX_INT}, or null for no limit"
    limits = execute.get("timeout") or {}
    for name, smallest in (("timeout", 1), ("grace_period", 0)):
        value = limits.get(name)
        # not made a float first: that fails for whole numbers of some hundred digits
        if value is not None and not smallest <= value <= MAX_INT:
            yield f"execute.timeout.{name} is {value}: it is in seconds, {smallest} or more, at most {MAX_INT}"


def _cycles(definitions: Sequence[Definition]) -> Iterator[str]:
    cycle = find_cycle(
        {
            definition["job_ref"]: starts_of(
                definition["triggers"], definition.get("freshness") or [], dlt_deployment.tags(definition)
            )
            for definition in definitions
        }
    )
    if cycle is not None:
        yield (
            f"jobs start each other in a circle: {' -> '.join(cycle)}; "
            "take one of these triggers or freshness constraints away; where triggers are meant to go round, give "
            f"one of the jobs the tag {ALLOW_CYCLE!r}"
        )


def _profile_faults(definition: Definition, profiles: list[str] | None) -> Iterator[str]:
    required = definition.get("require", {}).get("profile")
    if required and profiles is not None:
        try:
            run_starts.check_profile(required, profiles)
        except BadRequest as error:
            yield f"{definition['job_ref']}: {error.message}"


def _group_faults(definition: Definition, requirements: Mapping[str, Any] | None) -> Iterator[str]:
    if requirements is None:
        return
    for name in environments.missing_groups(requirements, definition):
        known = ", ".join(sorted(requirements["groups"])) or "none"
        yield (
            f"{definition['job_ref']}: there is no dependency group {name!r} (there are: {known}); "
            "add it to [dependency-groups] of pyproject.toml"
        )
