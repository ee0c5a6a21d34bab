"""dlt's open deployment code, as far as Homeport uses it: the one file that touches dlt's private modules.

dlt defines job definitions, manifests and launchers (`dlt._workspace.deployment`, run contract §16). Every
call into it goes through here; `tests/contract/test_dlt_deployment.py` fails loudly when it moves. Tick
arithmetic is not among the calls: ticks are ours (`scheduling/ticks.py`).
"""

import io
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from dlt._workspace.deployment import manifest as _manifest
from dlt._workspace.deployment import requirements as _requirements
from dlt._workspace.deployment._job_ref import format_job_label, job_category
from dlt._workspace.deployment._run_helpers import build_runtime_entry_point
from dlt._workspace.deployment._trigger_helpers import (
    humanize_trigger,
    match_triggers_with_selectors,
    pick_trigger,
)
from dlt._workspace.deployment.exceptions import InvalidTrigger
from dlt._workspace.deployment.launchers import LAUNCHER_JOB, LAUNCHER_MODULE
from dlt._workspace.deployment.package_builder import compute_package_content_hash
from dlt._workspace.deployment.typing import MANIFEST_ENGINE_VERSION

from homeport.errors import BadRequest

ENGINE_VERSION: int = MANIFEST_ENGINE_VERSION
"""The engine of job definitions that this server speaks (run contract §15)."""

Definition = dict[str, Any]
"""A dlt `TJobDefinition` as JSON (run contract §11)."""


@dataclass(frozen=True)
class CheckedManifest:
    """Job definitions that passed every check, migrated to `ENGINE_VERSION`."""

    jobs: list[Definition]
    warnings: list[str]


def check_manifest(
    jobs: Sequence[Mapping[str, Any]], engine_version: int, deployment_module: str | None
) -> CheckedManifest:
    """Migrate and validate a deploy's job definitions (run contract §11.3, §15).

    Raises `BadRequest` with one reason per fault; the manifest is judged by itself, not by the workspace.
    """
    if engine_version > ENGINE_VERSION:
        raise _unsupported_engine(engine_version)
    # by their refs everything else is told apart
    nameless = [f"job number {number} has no job_ref" for number, job in enumerate(jobs, 1) if not _has_ref(job)]
    if nameless:
        raise invalid_manifest(nameless)
    migrated = [_migrate(job, engine_version) for job in jobs]
    # shape first: the cross checks below index keys that only a well-formed definition has
    faults = [
        _named(job, fault)
        for job in migrated
        for fault in _manifest.validate_job_definition(cast(Any, job), validate_dict=True).errors
    ]
    if faults:
        raise invalid_manifest(faults)
    try:
        result = _manifest.validate_manifest(
            cast(
                Any,
                {
                    "engine_version": ENGINE_VERSION,
                    "deployment_module": deployment_module or "ad_hoc",
                    "jobs": migrated,
                    "version": 1,
                    "version_hash": "",
                    "previous_hashes": [],
                    "created_at": "1970-01-01T00:00:00+00:00",
                },
            )
        )
    except NotImplementedError as error:  # matching-interval freshness, run contract §11.3
        raise invalid_manifest([str(error)]) from error
    if result.errors:
        raise invalid_manifest(result.errors)
    return CheckedManifest(migrated, list(result.warnings))


def invalid_manifest(reasons: Sequence[str]) -> BadRequest:
    """The refusal of a manifest: what is wrong, one reason per fault."""
    return BadRequest(
        "The deployment manifest has errors; no job was changed. Correct them and deploy again.",
        code="invalid_manifest",
        reasons=reasons,
    )


def _has_ref(job: Mapping[str, Any]) -> bool:
    return isinstance(job.get("job_ref"), str)


def _migrate(job: Mapping[str, Any], engine_version: int) -> Definition:
    definition = deepcopy(dict(job))
    engine = definition.get("engine_version", engine_version)
    try:
        return cast(Definition, _manifest.migrate_job_definition(definition, engine, ENGINE_VERSION))
    except Exception as error:  # dlt raises several kinds here, all of them mean: no such path
        raise _unsupported_engine(engine) from error


def _unsupported_engine(engine: object) -> BadRequest:
    return BadRequest(
        f"This server speaks manifest engine {ENGINE_VERSION}, the client sent engine {engine}: "
        "upgrade the Homeport server, or install the dlt version it was released with.",
        code="manifest_engine_unsupported",
    )


def _named(job: Definition, fault: str) -> str:
    ref = str(job.get("job_ref", "a job without job_ref"))
    return fault if ref in fault else f"{ref}: {fault}"


def definition_hash(job: Definition) -> str:
    """base64 SHA3-256 over the definition, independent of key order (run contract §15)."""
    return _manifest.hash_job_definition(cast(Any, job))


def expanded_triggers(job: Definition) -> list[str]:
    """Declared triggers and the synthetic manual, tag and pipeline_name ones (run contract §13.3).

    `BadRequest` when a tag or the pipeline's name is blank, so that it makes none.
    """
    try:
        return [str(trigger) for trigger in _manifest.expand_triggers(cast(Any, _with_tag_list(job)))]
    except InvalidTrigger as error:
        raise BadRequest(
            f"a tag or the pipeline's name makes no trigger: {error}", code="invalid_trigger"
        ) from None


def default_trigger(job: Definition) -> str | None:
    """The trigger a start by id stands for, if the job has one (run contract §13.5)."""
    expanded = {**_with_tag_list(job), "triggers": expanded_triggers(job)}
    trigger = _manifest.compute_default_trigger(cast(Any, expanded))
    return None if trigger is None else str(trigger)


def tags(job: Definition) -> list[str]:
    """The tags that a definition declares."""
    return list(_with_tag_list(job).get("expose", {}).get("tags") or [])


def _with_tag_list(job: Definition) -> Definition:
    # a module's `__expose__` may hold one tag as a plain string, which dlt would read letter by letter
    tags = job.get("expose", {}).get("tags")
    if not isinstance(tags, str):
        return job
    return {**job, "expose": {**job["expose"], "tags": [tags]}}


def matched_triggers(job_type: str, triggers: Sequence[str], selectors: Sequence[str], job_ref: str) -> list[str]:
    """Which of a job's expanded triggers the selectors pick (run contract §13.4)."""
    return [
        str(trigger)
        for trigger in match_triggers_with_selectors(
            cast(Any, job_type), cast(Any, list(triggers)), list(selectors), job_ref
        )
    ]


def picked_trigger(matched: Sequence[str], default: str | None) -> str | None:
    """The one trigger a start fires among those matched (run contract §13.5)."""
    trigger = pick_trigger(cast(Any, list(matched)), cast(Any, default))
    return None if trigger is None else str(trigger)


def entry_point(
    job: Definition,
    *,
    profile: str,
    refresh: bool,
    interval: tuple[datetime, datetime],
    dlt_install: Mapping[str, Any],
) -> dict[str, Any]:
    """The launcher's `--entry-point` in the shape of the run's dlt version (run contract §6)."""
    return cast(
        dict[str, Any],
        build_runtime_entry_point(
            cast(Any, job), {}, profile, refresh, interval[0], interval[1], cast(Any, dlt_install)
        ),
    )


def launcher_of(job: Definition) -> str:
    """Module path of the launcher (run contract §5.1)."""
    point = job["entry_point"]
    return str(point.get("launcher") or (LAUNCHER_JOB if point.get("function") else LAUNCHER_MODULE))


def fallback_launcher() -> str:
    """Whose base requirements an unknown launcher gets (run contract §4.2)."""
    return LAUNCHER_JOB


def label(job: Definition) -> str:
    """What people call the job: display name, then pipeline or section in brackets."""
    return format_job_label(cast(Any, job["job_ref"]), job.get("expose"), job.get("deliver"))


def category(job: Definition) -> str:
    """pipeline, notebook, dashboard, mcp, background_agent, or else the job type."""
    return job_category(job.get("expose"), job.get("deliver"), job["entry_point"]["job_type"])


def humanized(trigger: str) -> str:
    """A trigger in plain words, for pages and messages; as it is where dlt has no words for it."""
    try:
        return humanize_trigger(cast(Any, trigger))
    except Exception:  # words only: a trigger that dlt cannot read is shown as written
        return trigger


def content_hash(files: Sequence[Mapping[str, Any]]) -> str:
    """base64 SHA3-256 over the sorted files manifest (run contract §2.2)."""
    ordered = sorted(files, key=lambda item: str(item["relative_path"]))
    return compute_package_content_hash(cast(Any, {"engine_version": 1, "files": ordered}))


def read_requirements(document: bytes) -> dict[str, Any]:
    """A requirements manifest, migrated and checked (run contract §4.1)."""
    try:
        return cast(dict[str, Any], _requirements.load_requirements(io.BytesIO(document)))
    except (
        _requirements.WorkspaceRequirementsError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ) as error:
        raise BadRequest(
            f"requirements.json is not a requirements manifest that dlt can read: {error}",
            code="invalid_requirements",
        ) from error
