"""Every page in its states, with made-up data and without a server.

python -m homeport.web.storybook <folder>
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from homeport.contract.people import (
    AuditEntryResponse,
    InvitationResponse,
    KeyResponse,
    OrganizationMemberResponse,
)
from homeport.contract.storage import StorageItem
from homeport.web import static_files
from homeport.web.audit_log import AuditLogPage
from homeport.web.authorize import AuthorizePage
from homeport.web.device import DevicePage, WaitingTerminal
from homeport.web.error import ErrorPage
from homeport.web.frame import Crumb, Frame
from homeport.web.invitation import InvitationPage
from homeport.web.job import Bar, EdgeItem, JobPage, PipelineLink, PublicLinkPart, TriggerItem, WebhookPart
from homeport.web.keys import KeyList, KeyRow, KeysPage
from homeport.web.members import InvitationRow, MemberRow, MembersPage, WorkspacePart
from homeport.web.open_app import OpenAppPage
from homeport.web.pipeline import KeptRow, PipelinePage
from homeport.web.rendering import Page, Renderer
from homeport.web.rows import JobRow, LatestRun, RunRow, TickRow
from homeport.web.run import AttemptRow, LogPart, LogRow, NotStartedItem, RunPage, UsageItem
from homeport.web.sign_in import SignInPage
from homeport.web.workspace import ActiveVersion, WorkspacePage
from homeport.web.workspaces import WorkspaceItem, WorkspacesPage

NOW = datetime(2026, 3, 14, 9, 30, 12, tzinfo=UTC)
HOSTILE = """<script>alert("1")</script>'"&{{ 7 * 7 }}"""
"""A name that somebody may give to a thing."""

_WORKSPACE = Crumb("fruit-shop", "#")
_PERSON = "ada@example.org"


def _ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def _run(
    number: int,
    status: str,
    created_at: datetime,
    seconds: float | None = None,
    *,
    label: str = "Load the shop (fruitshop)",
    trigger: str = "every 5 min",
    person: str | None = None,
    why: str | None = None,
) -> RunRow:
    return RunRow(
        url="#",
        number=number,
        job_label=label,
        job_url="#",
        status=status,
        trigger=trigger,
        profile="prod",
        person=person,
        created_at=created_at,
        started_at=None if seconds is None else created_at + timedelta(seconds=1),
        is_over=status in ("completed", "failed", "cancelled", "skipped"),
        seconds=seconds,
        why=why,
    )


_AFTER_LOAD = "after load_fruitshop succeeds"
_RUNS = (
    _run(318, "running", _ago(seconds=41), 40),
    _run(12, "pending", _ago(seconds=8), label="Count the stock (stocktake)", trigger="by hand", person=_PERSON),
    _run(204, "completed", _ago(minutes=5), 3.1, label="Report (fruitshop_report)", trigger=_AFTER_LOAD),
    _run(317, "completed", _ago(minutes=5, seconds=10), 9.7),
    _run(
        71,
        "failed",
        _ago(minutes=30),
        2.2,
        label="Check the shop (fruitshop_quality)",
        trigger="every hour at :00",
        why="The process ended with exit code 1",
    ),
    _run(316, "cancelled", _ago(minutes=36), 7200, why="The run took longer than its limit"),
    _run(315, "skipped", _ago(hours=26)),
)

_JOBS = (
    JobRow(
        "#", "Check the shop (fruitshop_quality)", "jobs.fruitshop_quality.check_fruitshop", "batch",
        "Raises when a purchase names a customer or a fruit that is not there.", ("every hour at :00",), False,
        LatestRun("#", 71, "failed", _ago(minutes=30)), NOW + timedelta(minutes=29),
    ),
    JobRow(
        "#", "Count the stock (stocktake)", "jobs.stocktake", "batch", None, (), False,
        LatestRun("#", 12, "pending", _ago(seconds=8)), None,
    ),
    JobRow(
        "#", "Load the shop (fruitshop)", "jobs.fruitshop_pipeline.load_fruitshop", "pipeline",
        "Loads customers, inventory and purchases of the fruit shop into the warehouse.", ("every 5 min",), False,
        LatestRun("#", 318, "running", _ago(seconds=41)), NOW + timedelta(minutes=4),
    ),
    JobRow(
        "#", "Report (fruitshop_report)", "jobs.fruitshop_report.report_revenue", "batch", None,
        (_AFTER_LOAD, "on weekdays at 08:00 Europe/Berlin"), True,
        LatestRun("#", 204, "completed", _ago(minutes=5)), None,
    ),
    JobRow("#", "sandbox", "jobs.sandbox", "notebook", None, (), False, None, None),
)  # fmt: skip

_STORAGE = (
    StorageItem(
        profile="prod",
        host="oven-1",
        path="node/workspaces/6f0c2e1a-93b7-4d0e-8a54-1f7be3c9d2aa/prod",
        size_bytes=1_480_000_000,
        file_count=212,
        measured_at=_ago(minutes=2),
    ),
    StorageItem(
        profile="staging",
        host="oven-2",
        path="node/workspaces/6f0c2e1a-93b7-4d0e-8a54-1f7be3c9d2aa/staging",
        size_bytes=12_345,
        file_count=1,
        measured_at=_ago(minutes=4),
    ),
)

_WORKSPACE_PAGE = WorkspacePage(
    frame=Frame("fruit-shop", NOW, _PERSON),
    name="fruit-shop",
    description="Loads a small shop's books, checks them and reports the revenue",
    is_archived=False,
    connect_commands=("homeport connect --url http://localhost:4040 --workspace fruit-shop", "dlthub deploy"),
    jobs=_JOBS,
    jobs_left_out=0,
    archived_jobs=_JOBS[1:2],
    archived_left_out=0,
    runs=_RUNS,
    code=ActiveVersion(14, _ago(hours=3), _PERSON, 9, 18_432, ()),
    configuration=ActiveVersion(2, _ago(days=12), "grace@example.org", 4, 1_210, ("access", "prod")),
    storage=_STORAGE,
)

_BARS = tuple(
    Bar(place * 12, height, status, "#", f"Run {290 + place}: {status}")
    for place, (height, status) in enumerate(
        [*[(34 + (place * 29) % 41, "completed") for place in range(24)], (16, "failed"), (40, "completed")] * 1
        + [(100, "cancelled"), (44, "completed"), (38, "completed"), (52, "running")]
    )
)

_HOOK_URL = "https://homeport.example.org/hooks/v1/qPyVtMf0w4Jm/orders"

_JOB_PAGE = JobPage(
    frame=Frame("Load the shop (fruitshop)", NOW, _PERSON, (_WORKSPACE,)),
    label="Load the shop (fruitshop)",
    ref="jobs.fruitshop_pipeline.load_fruitshop",
    category="pipeline",
    description="Loads customers, inventory and purchases of the fruit shop into the warehouse.",
    is_archived=False,
    is_paused=False,
    next_at=NOW + timedelta(minutes=4),
    run_action="#",
    app_url=None,
    triggers=(TriggerItem("every 5 min", "every:5m"), TriggerItem("by tag ingest", "tag:ingest")),
    profile="prod",
    tags=("ingest", "shop"),
    pipeline=PipelineLink("fruitshop", "#"),
    timeout="2 h, then 30 s to stop",
    concurrency="1 at once",
    interval="from 2026-01-01T00:00:00+00:00 to now",
    entry_point="fruitshop_pipeline:load_fruitshop",
    launcher="dlt._workspace.deployment.launchers.job",
    version=3,
    deployed_at=_ago(hours=3),
    deployed_by=_PERSON,
    upstream=(EdgeItem("waits until fresh:", "Prices (prices)", "#", False),),
    downstream=(EdgeItem("starts after a success", "Report (fruitshop_report)", "#", False),),
    webhook=None,
    public_link=None,
    bars=_BARS,
    runs=tuple(run for run in _RUNS if run.job_label.startswith("Load")),
    newer_url=None,
    older_url="#",
    ticks=(
        TickRow(_ago(minutes=1), None, "waits", True, "upstream jobs.prices missing run for 09:25", None, None),
        TickRow(_ago(minutes=6), None, "ran", False, None, 214, "#"),
        TickRow(_ago(hours=3), _ago(minutes=11), "covered by another run", False, "no server was there", 214, "#"),
    ),
)

_LINK = PublicLinkPart(
    url="https://homeport.example.org/p/6f0c2e1a-93b7-4d0e-8a54-1f7be3c9d2aa",
    ends_at=NOW + timedelta(days=6, hours=3),
    has_ended=False,
    has_password=True,
    views=41,
    publish_action="#",
    unpublish_action="#",
    end_action="#",
    password_action="#",  # noqa: S106 - an address
)

_APP_PAGE = replace(
    _JOB_PAGE,
    label="Fruitshop notebook",
    ref="jobs.fruitshop_notebook",
    category="notebook",
    run_action=None,
    pipeline=None,
    next_at=None,
    triggers=(TriggerItem("by visits", "http:"),),
    timeout="none",
    interval=None,
    ticks=(),
    app_url="#",
    public_link=replace(_LINK, url=None, ends_at=None, has_password=False, views=0),
)

_LOG = [
    ("setup", False, 'Environment 7c41d0a93b2f is ready: Python 3.12, 61 packages, made earlier'),
    ("setup", False, "Code version 14 and configuration version 2 are unpacked; profile prod"),
    ("runner", False, "Started: python -u -m dlt._workspace.deployment.launchers.job"),
    ("user", False, "2026-03-14 09:29:33,512|[INFO]|fruitshop|Extracting from source fruitshop"),
    ("user", False, "------------------------------ Extract fruitshop ------------------------------"),
    ("user", False, "Resources: 3/3 (100.0%) | Time: 0.21s | Rate: 14.1/s"),
    ("user", False, "customers: 9  | Time: 0.20s | Rate: 44.87/s"),
    ("user", False, "inventory: 5  | Time: 0.20s | Rate: 24.93/s"),
    ("user", False, "purchases: 25  | Time: 0.19s | Rate: 128.2/s"),
    ("user", True, "2026-03-14 09:29:34,021|[WARNING]|fruitshop|purchases: no new rows since number 7925"),
    ("user", False, "------------------------------ Normalize fruitshop ----------------------------"),
    ("user", False, "Files: 4/4 (100.0%) | Time: 0.08s | Rate: 47.3/s"),
    ("user", False, "------------------------------ Load fruitshop ---------------------------------"),
    ("user", False, "Jobs: 4/4 (100.0%) | Time: 0.31s | Rate: 12.8/s"),
    ("user", False, ""),
    ("user", False, "Pipeline fruitshop load step completed in 0.35 seconds"),
    ("user", False, "1 load package(s) were loaded to destination warehouse and into dataset fruitshop_data"),
    ("user", False, "The duckdb destination used duckdb:///warehouse.duckdb location to store data"),
    ("user", False, "    waiting for the till to close …"),
]  # fmt: skip

_LOG_ROWS = tuple(
    LogRow(number, _ago(seconds=40 - number / 3), source, is_stderr, text)
    for number, (source, is_stderr, text) in enumerate(_LOG)
)

_RUN_PAGE = RunPage(
    frame=Frame(
        "Load the shop (fruitshop) #318", NOW, _PERSON, (_WORKSPACE, Crumb("Load the shop (fruitshop)", "#"))
    ),
    status="running",
    is_over=False,
    number=318,
    job_label="Load the shop (fruitshop)",
    job_url="#",
    trigger="every 5 min",
    trigger_text="every:5m",
    person=None,
    profile="prod",
    is_refresh=False,
    interval_start=_ago(minutes=5, seconds=41),
    interval_end=_ago(seconds=41),
    created_at=_ago(seconds=41),
    started_at=_ago(seconds=40),
    finished_at=None,
    seconds=40,
    time_limit=7200,
    instance="small",
    memory_limit_bytes=4 * 1024**3,
    usage=None,
    job_version=3,
    code_version=14,
    configuration_version=2,
    why=None,
    waits=None,
    not_before=None,
    attempts=(
        AttemptRow(1, "oven-1", _ago(minutes=2), 38.0, True, "It was lost: its runner is gone", "#"),
        AttemptRow(2, "oven-1", _ago(seconds=40), 40.0, False, None, "#"),
    ),
    exit_code=None,
    cancel_action="#",
    previous=None,
    started=(),
    not_started=(),
    log=LogPart(_LOG_ROWS, None, None, None, "#", "#"),
)

_LOG_END = _ago(seconds=37)
_TRACEBACK = """Traceback (most recent call last):
  File "fruitshop_quality.py", line 31, in check_fruitshop
    raise CheckFailed(f"{len(strays)} purchases name a fruit that is not in the inventory")
fruitshop_quality.CheckFailed: 2 purchases name a fruit that is not in the inventory""".splitlines()

_FAILED_RUN = replace(
    _RUN_PAGE,
    status="failed",
    is_over=True,
    trigger=_AFTER_LOAD,
    finished_at=_ago(seconds=37),
    seconds=3.2,
    is_refresh=True,
    why="The process ended with exit code 1",
    usage=UsageItem(312 * 1024**2, 2.9, 41_000_000, 1_200_000),
    exit_code=1,
    cancel_action=None,
    previous=_RUNS[3],
    started=_RUNS[2:3],
    log=LogPart(
        (
            *(replace(row, number=row.number + 4_000) for row in _LOG_ROWS[2:6]),
            *(
                LogRow(4_010 + number, _ago(seconds=37), "user", True, text)
                for number, text in enumerate(_TRACEBACK)
            ),
            LogRow(4_020, _LOG_END, "runner", True, "The process ended with exit code 1 after 3.2 s"),
        ),
        "#",
        None,
        None,
        "#",
        "#",
    ),
)

_HOSTILE_JOB = replace(
    _JOBS[0], label=HOSTILE, ref=HOSTILE, category=HOSTILE, description=HOSTILE, triggers=(HOSTILE,)
)
_HOSTILE_RUN = _run(1, "failed", NOW, 1, label=HOSTILE, trigger=HOSTILE, person=HOSTILE, why=HOSTILE)

_PIPELINE_PAGE = PipelinePage(
    Frame("fruitshop", NOW, _PERSON, (_WORKSPACE,)),
    "fruitshop",
    _JOBS[2:3],
    _RUNS[:1],
    (KeptRow("prod", _RUNS[0], _ago(minutes=4), 24_310), KeptRow("staging", _RUNS[0], _ago(days=2), 19_004)),
)

_ID = UUID(int=1)
_KEY = KeyResponse(
    id=_ID, name="laptop", created_at=_ago(days=3), expires_at=NOW + timedelta(days=87), last_used_at=_ago(hours=1)
)
_MEMBER = OrganizationMemberResponse(id=_ID, user_id=_ID, email=_PERSON, role="owner")
_ENTRY = AuditEntryResponse(
    number=7,
    at=_ago(minutes=3),
    actor=_PERSON,
    actor_id=_ID,
    via="api_key",
    address="192.0.2.7",
    action="deploy",
    target="__deployment__",
    workspace_id=_ID,
    detail={"jobs": ["jobs.fruitshop.load: created"]},
    hash="0" * 64,
)
_MEMBERS_PAGE = MembersPage(
    Frame("People of Fruit shop", NOW, _PERSON),
    "Fruit shop",
    (MemberRow(_MEMBER, "#", "#"),),
    (
        InvitationRow(
            InvitationResponse(
                id=_ID, email=None, role="member", created_at=_ago(days=1), expires_at=NOW + timedelta(days=6)
            ),
            "#",
        ),
    ),
    "#",
    "#",
    "https://homeport.example/invitation?code=shown-this-once",
    "The mail to dora@example.org could not be sent; the invitation is good all the same.",
    (WorkspacePart("fruit-shop", "viewer", "#", "#", ((_PERSON, "owner", "#"),)),),
)

STORIES: dict[str, Page] = {
    "sign-in": SignInPage(Frame("Sign in", NOW), "/", None),
    "sign-in-with-providers": SignInPage(
        Frame("Sign in", NOW), "/w/1", None,
        providers=(("Fruit SSO", "/sign-in/oidc?next=%2Fw%2F1"), ("GitHub", "/sign-in/github?next=%2Fw%2F1")),
    ),
    "sign-in-refused": SignInPage(
        Frame("Sign in", NOW), "/w/1", "This sign-in link was used before, or has expired."
    ),
    "device": DevicePage(
        Frame("Let a terminal in", NOW, _PERSON), "BCDF-GHJK",
        WaitingTerminal("dlthub-cli/0.28.7", "192.0.2.7", _ago(seconds=20)), None, None,
    ),
    "device-empty": DevicePage(Frame("Let a terminal in", NOW, _PERSON), "", None, None, None),
    "device-refused": DevicePage(
        Frame("Let a terminal in", NOW, _PERSON), "BCDF", None, "No terminal waits with this code.", None
    ),
    "device-done": DevicePage(Frame("Let a terminal in", NOW, _PERSON), "BCDF-GHJK", None, None, "It is in."),
    "device-hostile": DevicePage(
        Frame("Let a terminal in", NOW, _PERSON), HOSTILE, WaitingTerminal(HOSTILE, None, NOW), None, None
    ),
    "authorize": AuthorizePage(
        Frame("Let a terminal in", NOW, _PERSON), "http://127.0.0.1:40123/callback", "c" * 43, "state",
        "127.0.0.1:40123",
    ),
    "keys": KeysPage(
        Frame("Your account", NOW, _PERSON), False,
        (
            KeyList("Your keys", "/keys/-create", False, (KeyRow(_KEY, "/keys/1/-revoke"),)),
            KeyList("Keys of the workspace fruit-shop", "/w/1/keys/-create", True, ()),
        ),
        "dlt_u_shown-this-once", None, (("Fruit shop", "#"),), (("GitHub", "/sign-in/github?next=/keys"),),
    ),
    "keys-hostile": KeysPage(
        Frame("Your account", NOW, _PERSON), True,
        (KeyList(HOSTILE, "#", True, (KeyRow(_KEY.model_copy(update={"name": HOSTILE}), "#"),)),),
        None, "Done.", (), (),
    ),
    "members": _MEMBERS_PAGE,
    "members-seen-by-a-member": replace(
        _MEMBERS_PAGE, members=(MemberRow(_MEMBER, "", ""),), invitations=(), invite_action="", audit_log_url="",
        new_link=None, mail_note=None, workspaces=(),
    ),
    "audit-log": AuditLogPage(Frame("Audit log", NOW, _PERSON, (Crumb("People", "#"),)), (_ENTRY,), None, "#"),
    "audit-log-hostile": AuditLogPage(
        Frame("Audit log", NOW, _PERSON),
        (_ENTRY.model_copy(update={"actor": HOSTILE, "target": HOSTILE, "detail": {HOSTILE: HOSTILE}}),),
        "#", None,
    ),
    "invitation": InvitationPage(Frame("Invitation", NOW), "code", "Fruit shop", _PERSON, None, None, "/sign-in"),
    "invitation-with-providers": InvitationPage(
        Frame("Invitation", NOW), "code", "Fruit shop", _PERSON, _PERSON, None, "/sign-in", (("GitHub", "#"),)
    ),
    "invitation-of-somebody": InvitationPage(
        Frame("Invitation", NOW, _PERSON), "code", "Fruit shop", _PERSON, _PERSON, "It was not possible.",
        "/sign-in",
    ),
    "workspaces": WorkspacesPage(
        Frame("Workspaces", NOW, _PERSON),
        (
            WorkspaceItem("#", "fruit-shop", "Loads a small shop's books, checks them and reports them", "owner"),
            WorkspaceItem("#", "default", None, "viewer"),
        ),
    ),
    "workspaces-none": WorkspacesPage(Frame("Workspaces", NOW, _PERSON), ()),
    "workspace": _WORKSPACE_PAGE,
    "workspace-empty": replace(
        _WORKSPACE_PAGE, description=None, jobs=(), archived_jobs=(), runs=(), code=None, configuration=None,
        storage=(),
    ),
    "workspace-archived": replace(
        _WORKSPACE_PAGE, is_archived=True, jobs=(), jobs_left_out=3, archived_jobs=_JOBS, archived_left_out=7
    ),
    "workspace-hostile": replace(
        _WORKSPACE_PAGE,
        name=HOSTILE,
        description=HOSTILE,
        connect_commands=(HOSTILE,),
        jobs=(_HOSTILE_JOB,),
        runs=(_HOSTILE_RUN,),
        storage=(_STORAGE[0].model_copy(update={"profile": HOSTILE, "host": HOSTILE, "path": HOSTILE}),),
    ),
    "job": _JOB_PAGE,
    "job-never-ran": replace(
        _JOB_PAGE, description=None, next_at=None, triggers=(), tags=(), pipeline=None, interval=None, upstream=(),
        downstream=(), bars=(), runs=(), older_url=None, is_paused=True,
    ),
    "job-archived": replace(
        _JOB_PAGE, is_archived=True, next_at=None, run_action=None, newer_url="#", older_url=None, bars=(),
        runs=(),
        upstream=(EdgeItem("after the success of", "jobs.gone", None, False),),
        downstream=(EdgeItem("waits until this is fresh", "Old report", "#", True),),
    ),
    "job-hostile": replace(
        _JOB_PAGE, frame=replace(_JOB_PAGE.frame, title=HOSTILE, crumbs=(Crumb(HOSTILE, "#"),)), label=HOSTILE,
        ref=HOSTILE, description=HOSTILE, triggers=(TriggerItem(HOSTILE, HOSTILE),), tags=(HOSTILE,),
        pipeline=PipelineLink(HOSTILE, "#"), entry_point=HOSTILE, runs=(_HOSTILE_RUN,), bars=(
            Bar(0, 50, "failed", "#", HOSTILE), Bar(12, 50, "failed", "#", HOSTILE),
        ),
    ),
    "job-called": replace(
        _JOB_PAGE,
        triggers=(TriggerItem("webhook orders", "webhook:orders"),),
        webhook=WebhookPart((_HOOK_URL,), _ago(days=3), None, "#"),
    ),
    "job-app": _APP_PAGE,
    "job-app-published": replace(_APP_PAGE, public_link=_LINK),
    "job-app-link-without-terms": replace(
        _APP_PAGE, public_link=replace(_LINK, ends_at=None, has_password=False, views=1)
    ),
    "job-app-link-ended": replace(
        _APP_PAGE, public_link=replace(_LINK, ends_at=_ago(hours=2), has_ended=True, has_password=False, views=0)
    ),
    "job-app-link-seen-by-a-viewer": replace(
        _APP_PAGE,
        public_link=replace(
            _LINK, publish_action=None, unpublish_action=None, end_action=None, password_action=None
        ),
    ),
    "job-new-secret": replace(_JOB_PAGE, webhook=WebhookPart((_HOOK_URL,), NOW, "whsec_c2hvd24gb25jZQ", "#")),
    "job-without-secret": replace(_JOB_PAGE, webhook=WebhookPart((), None, None, "#")),
    "run-follow-up-declined": replace(
        _FAILED_RUN,
        not_started=(
            NotStartedItem("Alarm (fruitshop_report)", "#", ("1 of 1 allowed runs of jobs.alarm are active",)),
        ),
    ),
    "run-running": _RUN_PAGE,
    "run-pending": replace(
        _RUN_PAGE, status="pending", person=_PERSON, trigger="by hand", started_at=None, seconds=None,
        log=replace(_RUN_PAGE.log, rows=()),
    ),
    "run-completed": replace(
        _RUN_PAGE, status="completed", is_over=True, finished_at=_ago(seconds=2), seconds=38, exit_code=0,
        cancel_action=None, started=_RUNS[2:3],
    ),
    "run-failed": _FAILED_RUN,
    "run-cancelling": replace(_RUN_PAGE, status="cancelling", why="Cancelled by ada@example.org"),
    "run-middle-of-log": replace(
        _FAILED_RUN, log=replace(_FAILED_RUN.log, later_url="#"), code_version=None, configuration_version=None,
        interval_start=NOW, interval_end=NOW,
    ),
    "run-hostile": replace(
        _FAILED_RUN, job_label=HOSTILE, trigger=HOSTILE, trigger_text=HOSTILE, person=HOSTILE, why=HOSTILE,
        log=replace(_FAILED_RUN.log, rows=(LogRow(0, NOW, "user", False, HOSTILE),)),
    ),
    "pipeline": _PIPELINE_PAGE,
    "pipeline-never-ran": replace(_PIPELINE_PAGE, jobs=_JOBS[4:], runs=(), kept=()),
    "pipeline-hostile": replace(
        _PIPELINE_PAGE, name=HOSTILE, runs=(), kept=(KeptRow(HOSTILE, _HOSTILE_RUN, NOW, 1),)
    ),
    "error": ErrorPage(
        Frame("Not found", NOW, _PERSON), 404, "Not found", "There is no run 318 in this workspace.", (), "/"
    ),
    "error-with-reasons": ErrorPage(
        Frame("Not right now", NOW, _PERSON), 409, "Not right now", "jobs.fruitshop.load was not started.",
        ("1 run is active, and 1 at once is the limit", HOSTILE), "#",
    ),
    "open-app": OpenAppPage(Frame("Opening the app", NOW, _PERSON), "#"),
}  # fmt: skip
"""Name to page."""


def write(folder: Path, address: Callable[[str], str] = "static/{}".format) -> list[Path]:
    """All stories as files that a browser opens from the disk, and a list of them."""
    renderer = Renderer(address)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(static_files.FOLDER, folder / "static", dirs_exist_ok=True)
    written = []
    for name, page in STORIES.items():
        written.append(folder / f"{name}.html")
        written[-1].write_text(renderer.html(page), encoding="utf-8")
    links = "".join(f'<li><a href="{name}.html">{name}</a></li>' for name in STORIES)
    (folder / "index.html").write_text(
        f"<!doctype html><title>Storybook</title><ul>{links}</ul>", encoding="utf-8"
    )
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m homeport.web.storybook <folder>")
    for path in write(Path(sys.argv[1])):
        print(path)
