"""What a runner and the server say to each other (`src/homeport_runner/README.md`)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from homeport.contract.base import MAX_COUNT, MAX_INT, Model
from homeport.contract.log_lines import IoStream, Source, Stage

MAX_LINES = 5_000
MAX_LINE_CHARS = 300_000
MAX_PIPELINE_NAME_CHARS = 200
"""A folder is named after it: 255 bytes at most, of which some characters take several."""


class ClaimRequest(Model):
    ticket: str = Field(max_length=200)
    host: str = Field("", max_length=200)
    pid: int = Field(0, ge=0, le=MAX_INT)


class EnvironmentLaunch(Model):
    key: str
    """Names the environment: equal keys are the same environment."""
    python_version: str
    requirements: list[str]
    fallback: list[str] | None = None
    """What to install instead when `requirements` cannot be resolved: without what Homeport changed in them."""
    notes: list[str]
    """Remarks for the run's log, one line each."""
    asked_at: float | None = None
    """When somebody deployed last, in seconds since 1970: what failed to build before is tried again."""


class PackageLaunch(Model):
    sha256: str


class FileLaunch(Model):
    """A file that the run finds beside its workspace."""

    variable: str
    """The environment variable that says where it is."""
    name: str
    content: str
    """base64"""


class AppLaunch(Model):
    """What a runner must know of an app that it serves."""

    ready_path: str | None
    """Where the app says that it is well; none: it is ready when it accepts a connection."""
    start_seconds: float
    """How long it may take until it answers."""


class MemoryLaunch(Model):
    """How much memory all processes of a run may have, and how that is told."""

    limit_bytes: int
    holder: str
    """`its instance 'small'`"""
    advice: str
    """A sentence, or nothing."""


class ArtifactsLaunch(Model):
    """What becomes of the artifacts of dlt's pipelines: state, schemas, the last trace."""

    profile: str
    """Below which name the run looks for them."""
    sync: bool
    """Whether those that are kept come to the run, and stay fresh while it lives."""
    attach: bool
    """Whether they lie in dlt's working folder, too, where `dlt.attach` finds them."""


class Launch(Model):
    """All a runner needs to run one attempt; handed out once, for the ticket."""

    session: str
    lease_seconds: float
    root_name: str
    storage: str
    """Folder of the node's storage that outlives runs: `<workspace id>/<profile that writes it>`."""
    carry: str | None = None
    """Names dlt's working state on the node, which the attempts of a run hand on; none: nothing is handed on."""
    notes: list[str] = []
    """First lines of the attempt's log."""
    environment: EnvironmentLaunch
    command: list[str]
    """Arguments after the environment's Python."""
    variables: dict[str, str]
    packages: dict[Literal["code", "configuration"], PackageLaunch | None]
    timeout_seconds: float | None
    grace_seconds: float
    inputs: list[FileLaunch] = Field(default_factory=list)
    secrets: list[str] = Field(default_factory=list, repr=False)
    """What must not be seen in the log, as it is; the runner knows the forms that it may come in."""
    log_limit_bytes: int | None = None
    """The longest log of the attempt that is kept; none: no limit."""
    spool_bytes: int | None = None
    """How much of the log may wait for the server on the node's disk."""
    app: AppLaunch | None = None
    """Set where the run is an app: the runner chooses its port and opens the tunnel."""
    memory: MemoryLaunch | None = None
    """none: no limit."""
    artifacts: ArtifactsLaunch | None = None


WireLine = tuple[datetime, IoStream, Source, Stage, Annotated[str, Field(max_length=MAX_LINE_CHARS)]]


class LinesRequest(Model):
    first: int = Field(ge=0, le=MAX_COUNT)
    lines: list[WireLine] = Field(max_length=MAX_LINES)


class LinesAnswer(Model):
    next: int
    cancel: bool


class ControlAnswer(Model):
    cancel: bool


class StartedRequest(Model):
    pid: int = Field(ge=0, le=MAX_INT)


class UsageReport(Model):
    """What all processes of an attempt took; null is what could not be measured."""

    peak_memory_bytes: int | None = Field(None, ge=0, le=MAX_COUNT)
    cpu_seconds: float | None = Field(None, ge=0, le=MAX_COUNT)
    read_bytes: int | None = Field(None, ge=0, le=MAX_COUNT)
    written_bytes: int | None = Field(None, ge=0, le=MAX_COUNT)


class ExitRequest(Model):
    cause: Literal["exited", "cancelled", "timed_out", "setup_failed", "lost", "not_serving", "out_of_memory"]
    exit_code: int | None = Field(None, ge=-MAX_INT, le=MAX_INT)
    detail: str | None = Field(None, max_length=10_000)
    lines: int = Field(ge=0, le=MAX_COUNT)
    usage: UsageReport | None = None


PipelineName = Annotated[str, Field(min_length=1, max_length=MAX_PIPELINE_NAME_CHARS)]


class KeptArtifacts(Model):
    """Of one pipeline."""

    pipeline: str
    sha256: str
    """Of the archive."""
    size_bytes: int


class ArtifactsAnswer(Model):
    etag: str
    pipelines: list[KeptArtifacts] | None
    """null: still those that the runner knows."""


class Accepted(Model):
    ok: bool = True
