"""Everything a runner is told about one attempt: the launch document (run contract §5 to §8)."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from homeport.contract import dlt_deployment
from homeport.contract.runner_protocol import (
    AppLaunch,
    ArtifactsLaunch,
    FileLaunch,
    Launch,
    MemoryLaunch,
    PackageLaunch,
)
from homeport.execution import environments, secret_values

DATA_PROFILES = {"access": "prod"}
"""Profiles that use the stored files of another: `access` reads what `prod` has loaded (run contract §8)."""

NO_LIMIT_SECONDS = 10 * 365 * 86_400
"""How a run without time limit is reported where the API wants a number."""


@dataclass(frozen=True)
class Limits:
    """How long a run may take, and how long it gets to stop, in seconds."""

    timeout: float | None
    grace: float

    @property
    def max_run_time_seconds(self) -> int:
        return NO_LIMIT_SECONDS if self.timeout is None else int(self.timeout)


@dataclass(frozen=True)
class WebhookCall:
    """What a run is given of the call of a webhook that started it."""

    body: bytes
    headers: str
    """A JSON object."""
    path: str


@dataclass(frozen=True)
class LaunchOrder:
    """What is launched: the pinned versions and decisions of one run."""

    run_id: UUID
    workspace_id: UUID
    organization_id: UUID
    workspace_name: str
    definition: dlt_deployment.Definition
    requirements: Mapping[str, Any]
    trigger: str
    profile: str
    refresh: bool
    interval: tuple[datetime, datetime]
    code_sha256: str
    limits: Limits
    api_url: str
    lease_seconds: float
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the workspace and the profile set; they hold secrets."""
    webhook: WebhookCall | None = field(default=None, repr=False)
    """What the call brought that started the run, if one did."""
    carries: bool = False
    """Whether another attempt may follow, which goes on with the working state of this one."""
    notes: tuple[str, ...] = ()
    """First lines of the log."""
    deployed_at: datetime | None = None
    """When the workspace was deployed last."""
    app_start_seconds: float = 180.0
    """How long an app may take until it answers."""
    base_path: str | None = None
    """Below which path an app is served; none: it has an origin of its own."""
    beacon_url: str | None = field(default=None, repr=False)
    """Where dlt inside of the run reports to; a secret of the run."""
    memory: MemoryLaunch | None = None
    log_limit_bytes: int | None = None
    spool_bytes: int = 1024 * 1024 * 1024
    token: str | None = field(default=None, repr=False)
    """With which the run's code asks the API."""


def data_profile(profile: str) -> str:
    """The profile whose data a run under this one works on."""
    return DATA_PROFILES.get(profile, profile)


def limits_of(definition: dlt_deployment.Definition, timeout: float, grace: float) -> Limits:
    """The job's limits, with the server's defaults where it sets none (run contract §10).

    A job that says `timeout: null` wants no limit; interactive jobs have none: what they say is how long they may
    be idle.
    """
    execute = definition["execute"]
    if "timeout" not in execute:
        return Limits(None if is_interactive(definition) else timeout, grace)
    spec = execute["timeout"] or {}
    limit = None if is_interactive(definition) else spec.get("timeout")
    return Limits(None if limit is None else float(limit), float(spec.get("grace_period", grace)))


def is_interactive(definition: dlt_deployment.Definition) -> bool:
    """Whether its runs are apps."""
    return bool(definition["entry_point"]["job_type"] == "interactive")


def idle_limit_of(definition: dlt_deployment.Definition, default: float) -> float | None:
    """After how many seconds without use an app stops; none: never (run contract §9)."""
    execute = definition["execute"]
    if "timeout" not in execute:
        return default
    limit = (execute["timeout"] or {}).get("timeout")
    return None if limit is None else float(limit)


def compose(order: LaunchOrder, session: str, configuration_sha256: str, secrets: Sequence[str] = ()) -> Launch:
    """The document that a claim is answered with. The digest is that of the configuration as runners fetch it;
    `secrets` are what must not be seen in the log."""
    entry_point = dlt_deployment.entry_point(
        order.definition,
        profile=order.profile,
        refresh=order.refresh,
        interval=order.interval,
        dlt_install=order.requirements["dlt_version"],
    )
    environment = environments.compose(order.requirements, order.definition, order.deployed_at)
    in_addresses = secret_values.of_variables((), environment.requirements)
    if is_interactive(order.definition):
        # the port is chosen on the node
        entry_point["run_args"] = {"base_path": order.base_path} if order.base_path else {}
    return Launch(
        session=session,
        lease_seconds=order.lease_seconds,
        root_name=_folder_name(order.workspace_name),
        storage=f"{order.workspace_id}/{data_profile(order.profile)}",
        carry=order.run_id.hex if order.carries else None,
        notes=list(order.notes),
        environment=environment,
        command=[
            "-u",
            "-m",
            dlt_deployment.launcher_of(order.definition),
            "--run-id",
            str(order.run_id),
            "--trigger",
            order.trigger,
            "--entry-point",
            json.dumps(entry_point),
        ],
        variables=_variables(order),
        packages={
            "code": PackageLaunch(sha256=order.code_sha256),
            "configuration": PackageLaunch(sha256=configuration_sha256),
        },
        timeout_seconds=order.limits.timeout,
        grace_seconds=order.limits.grace,
        inputs=_inputs(order),
        secrets=[*secrets, *in_addresses],
        log_limit_bytes=order.log_limit_bytes,
        spool_bytes=order.spool_bytes,
        app=_app(order),
        memory=order.memory,
        artifacts=_artifacts(order),
    )


_HEALTH = {"marimo": "/health", "dashboard": "/health", "streamlit": "/_stcore/health"}
"""Where the apps of a launcher say that they are well (run contract §5.3)."""

KNOW_BASE_PATH = frozenset({"marimo", "streamlit"})
"""Launchers whose apps can live below a path."""


def launcher_name(definition: dlt_deployment.Definition) -> str:
    """The last part of the launcher's module: marimo, streamlit, mcp, dashboard, job."""
    return dlt_deployment.launcher_of(definition).rpartition(".")[2]


def _app(order: LaunchOrder) -> AppLaunch | None:
    if not is_interactive(order.definition):
        return None
    path = _HEALTH.get(launcher_name(order.definition))
    ready_path = None if path is None else (order.base_path or "") + path
    return AppLaunch(ready_path=ready_path, start_seconds=order.app_start_seconds)


_DASHBOARD = "dashboard"
"""dlt's own, which has a folder of artifacts copied to where it looks, at each visit."""


def _artifacts(order: LaunchOrder) -> ArtifactsLaunch:
    """Runs that load have their state from the destination: it comes to apps alone."""
    is_app = is_interactive(order.definition)
    is_dashboard = launcher_name(order.definition) == _DASHBOARD
    return ArtifactsLaunch(profile=order.profile, sync=is_app, attach=is_app and not is_dashboard)


def _variables(order: LaunchOrder) -> dict[str, str]:
    """Run contract §7.1. The runner adds what only the node knows: PATH, HOME, folders."""
    return {
        # marimo would have browsers load its assets from a CDN
        "MARIMO__ASSET_URL": "",
        **order.variables,
        # from here on, whatever the workspace says
        # before the process starts: in-process launchers have read the profile when the entry point names it
        "WORKSPACE__PROFILE": order.profile,
        "RUNTIME__RUN_ID": str(order.run_id),
        "RUNTIME__WORKSPACE_ID": str(order.workspace_id),
        "RUNTIME__ORGANIZATION_ID": str(order.organization_id),
        "RUNTIME__API_BASE_URL": order.api_url,
        "RUNTIME__DATAPLANE_BASE_URL": order.api_url,
        # dlt would send anonymous usage data off this machine
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        **({"DASHBOARD__SYNC_FROM_RUNTIME": "true"} if launcher_name(order.definition) == _DASHBOARD else {}),
        **({"RUNTIME__DLTHUB_DSN": order.beacon_url} if order.beacon_url else {}),
        **({"RUNTIME__AUTH_TOKEN": order.token} if order.token else {}),
        **(_webhook_variables(order.webhook) if order.webhook else {}),
    }


def _webhook_variables(call: WebhookCall) -> dict[str, str]:
    return {"HOMEPORT_WEBHOOK_HEADERS": call.headers, "HOMEPORT_WEBHOOK_PATH": call.path}


def _inputs(order: LaunchOrder) -> list[FileLaunch]:
    if order.webhook is None:
        return []
    content = base64.b64encode(order.webhook.body).decode()
    return [FileLaunch(variable="HOMEPORT_WEBHOOK_BODY_PATH", name="webhook-body", content=content)]


def _folder_name(workspace_name: str) -> str:
    """The workspace's name as a folder: dlt calls a workspace after its folder where nothing else names it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", workspace_name).strip("_")[:60] or "workspace"
