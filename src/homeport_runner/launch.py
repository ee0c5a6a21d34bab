"""What the server answers to a claim: everything needed to carry out one attempt.

Secrets live in here (`session`, `variables`) and are kept out of `repr`, so that no traceback shows them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport_runner.app import Wanted
from homeport_runner.memory import Limit

DEFAULT_LEASE_SECONDS = 300.0
DEFAULT_GRACE_SECONDS = 30.0
DEFAULT_SPOOL_BYTES = 1024 * 1024 * 1024

_PLAIN_NAME = re.compile(r"[^/\x00]+")


class UnusableLaunch(Exception):
    """The server's launch names something that must not be used as it is."""


@dataclass(frozen=True)
class Environment:
    key: str
    python_version: str
    requirements: tuple[str, ...]
    fallback: tuple[str, ...] | None
    notes: tuple[str, ...]
    asked_at: float = 0.0
    """Seconds since 1970: builds that failed before do not count."""


@dataclass(frozen=True)
class InputFile:
    """Something that the run reads; it may be secret, as the variables are."""

    variable: str
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Artifacts:
    """What becomes of the artifacts of dlt's pipelines: state, schemas, the last trace."""

    profile: str
    """Below which name the run looks for them."""
    sync: bool
    """Whether those that the server keeps come to the run, and stay fresh while it lives."""
    attach: bool
    """Whether they lie in dlt's working folder, too, where `dlt.attach` finds them."""


@dataclass(frozen=True)
class Launch:
    session: str = field(repr=False)
    lease_seconds: float
    root_name: str
    storage: str
    carry: str | None
    notes: tuple[str, ...]
    environment: Environment
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(repr=False)
    code_sha256: str
    configuration_sha256: str | None
    timeout_seconds: float | None
    grace_seconds: float
    inputs: tuple[InputFile, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be seen in the log."""
    log_limit_bytes: int | None = None
    """The longest log that is kept."""
    spool_bytes: int = DEFAULT_SPOOL_BYTES
    """How much of it may wait on disk for the server."""
    app: Wanted | None = None
    """Set where the run is an app."""
    memory: Limit | None = None
    """How much it may have; none: any."""
    artifacts: Artifacts | None = None
    """None: the server does not keep any."""


def parse_launch(document: Mapping[str, Any]) -> Launch:
    """Read the launch document; unknown keys are left alone, so that servers may say more than we know."""
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Not the error's own words: they could quote a secret.
        raise UnusableLaunch(f"a part of it is missing or malformed ({type(error).__name__})") from None


def _parse(document: Mapping[str, Any]) -> Launch:
    environment = document["environment"]
    app = document.get("app")
    memory = document.get("memory")
    artifacts = document.get("artifacts")
    packages = document["packages"]
    configuration = packages.get("configuration")
    timeout = document.get("timeout_seconds")
    return Launch(
        session=document["session"],
        lease_seconds=float(document.get("lease_seconds") or DEFAULT_LEASE_SECONDS),
        root_name=_plain_name(document["root_name"]),
        storage="/".join(_plain_name(part) for part in str(document["storage"]).split("/")),
        carry=_plain_name(document["carry"]) if document.get("carry") else None,
        notes=tuple(document.get("notes") or ()),
        environment=parse_environment(environment),
        command=tuple(document["command"]),
        variables=dict(document.get("variables") or {}),
        code_sha256=packages["code"]["sha256"],
        configuration_sha256=configuration["sha256"] if configuration else None,
        timeout_seconds=None if timeout is None else float(timeout),
        grace_seconds=_or_default(document.get("grace_seconds"), DEFAULT_GRACE_SECONDS),
        inputs=tuple(
            InputFile(str(file["variable"]), _plain_name(file["name"]), base64.b64decode(file["content"]))
            for file in document.get("inputs") or ()
        ),
        secrets=(document["session"], *map(str, document.get("secrets") or ())),
        log_limit_bytes=None if document.get("log_limit_bytes") is None else int(document["log_limit_bytes"]),
        spool_bytes=int(document.get("spool_bytes") or DEFAULT_SPOOL_BYTES),
        app=Wanted(app.get("ready_path"), float(app["start_seconds"])) if app else None,
        memory=Limit(int(memory["limit_bytes"]), str(memory["holder"]), str(memory["advice"])) if memory else None,
        artifacts=_artifacts(artifacts) if artifacts else None,
    )


def parse_environment(environment: Mapping[str, Any]) -> Environment:
    return Environment(
        key=_plain_name(environment["key"]),
        python_version=_python_version(environment["python_version"]),
        requirements=tuple(environment.get("requirements") or ()),
        fallback=tuple(environment["fallback"]) if environment.get("fallback") else None,
        notes=tuple(environment.get("notes") or ()),
        asked_at=float(environment.get("asked_at") or 0),
    )


def _artifacts(document: Mapping[str, Any]) -> Artifacts:
    return Artifacts(_plain_name(document["profile"]), bool(document["sync"]), bool(document["attach"]))


def _plain_name(name: str) -> str:
    """One part of a path, never a way out of the folder it is used in."""
    if not _PLAIN_NAME.fullmatch(name) or name in (".", ".."):
        raise UnusableLaunch(f"{name!r} cannot be the name of a folder")
    return name


def _python_version(version: str) -> str:
    """`3.11`; anything else uv would take for a path, a name or an option."""
    if not re.fullmatch(r"3\.\d+", version):
        raise UnusableLaunch(f"{version!r} is no version of Python")
    return version


def _or_default(value: Any, default: float) -> float:
    return default if value is None else float(value)
