"""An installation in a test's hands: real operations and real services over a real database; time stands still."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from homeport.auth import principals, secrets
from homeport.auth.encryption import ArchiveSealing, Vault
from homeport.auth.master_keys import MasterKey, MasterKeys
from homeport.auth.principals import DataplaneTokens, Principal
from homeport.auth.providers.configured import providers_of
from homeport.bells import Bells
from homeport.clock import FakeClock
from homeport.config import Settings
from homeport.contract.jobs import DeployWorkspaceRequest, DeployWorkspaceResponse, TriggerJobsRequest
from homeport.contract.packages import PackageKind
from homeport.contract.runner_protocol import ClaimRequest, ExitRequest, Launch, LinesAnswer
from homeport.contract.runs import CreateJobRunRequest
from homeport.dispatch.app_places import AppPlaces
from homeport.dispatch.schedules import FireSchedules
from homeport.dispatch.service import AT_ONCE
from homeport.dispatch.starts import StartPendingRuns
from homeport.dispatch.watch import WatchAttempts
from homeport.execution.engines.fake import FakeEngine
from homeport.mail import mailer_of
from homeport.operations import cancel_runs, deploy, first_start, run_attempts, start_runs, uploads
from homeport.operations.app_addresses import addresses_of
from homeport.operations.platform import Platform
from homeport.scheduling.instances import Room
from homeport.store import (
    attempts,
    credentials,
    jobs,
    organizations,
    packages,
    people,
    run_lists,
    runs,
    workspaces,
)
from homeport.store.blobs import Blobs
from homeport.store.database import Database

from . import builders

MASTER_KEY = b"k" * secrets.KEY_BYTES
LEASE = timedelta(seconds=300)


class World:
    """Alice owns it. `deploy`, `start`, `submit` and a runner's words carry runs through their lives."""

    def __init__(self, database: Database, clock: FakeClock, engine: FakeEngine, data_dir: Path) -> None:
        self.database, self.clock, self.engine = database, clock, engine
        data_dir.mkdir(exist_ok=True)
        self.platform = self.platform_with(data_dir=data_dir)
        first = first_start.ensure(self.platform)
        assert first is not None
        assert first.api_key is not None
        self.api_key, self.workspace = first.api_key, first.workspace
        with database.read() as tx:
            self.alice = principals.by_api_key(tx, self.api_key, clock.now())
        self.restart_services()

    def platform_with(self, **settings: Any) -> Platform:
        """This world's platform, with other settings."""
        if "data_dir" not in settings:
            settings["data_dir"] = self.platform.settings.data_dir
        vault = Vault(MasterKeys(MasterKey(MASTER_KEY)))
        sealing = ArchiveSealing(self.database, vault, self.clock)
        given = Settings(**settings)
        return Platform(
            database=self.database,
            blobs=Blobs(str(settings["data_dir"] / "storage"), sealing),
            vault=vault,
            clock=self.clock,
            bells=Bells(),
            settings=given,
            dataplane_tokens=DataplaneTokens(secrets.derive(MASTER_KEY, "dataplane tokens")),
            url="http://homeport.test",
            runner_url="http://127.0.0.1:4040",
            apps=addresses_of(given, "http://homeport.test"),
            providers=providers_of(given),
            mailer=mailer_of(given.smtp_url, given.mail_from),
        )

    def restart_services(self, max_runs: int = 8, room: Room | None = None, max_apps: int = 8) -> None:
        """What a new server process has: the same database and engine, no memory."""
        database, bells = self.database, self.platform.bells
        url = self.platform.runner_url
        self.schedules = FireSchedules(database, bells)
        apps = AppPlaces(max_apps)
        self.starts = StartPendingRuns(database, self.engine, bells, url, max_runs, room=room, apps=apps)
        self.watch = WatchAttempts(database, self.engine, bells, url, LEASE, up_since=self.clock.now())

    # people

    def invite(self, email: str, role: str | None, organization_role: str = "collaborator") -> Principal:
        """Somebody of Alice's organization; with a role in her workspace, or none."""
        now = self.clock.now()
        with self.database.write() as tx:
            member = people.create_member(tx, self.alice.organization_id, email, organization_role, now)
            if role is not None:
                row = {"id": uuid4(), "workspace_id": self.workspace.id, "member_id": member.id, "role": role}
                tx.execute(workspaces.members.insert().values(**row, created_at=now))
        return self.principal_of(member)

    def stranger(self, email: str = "charlie@elsewhere") -> tuple[Principal, workspaces.Workspace]:
        """The owner of another organization, and the workspace there."""
        now = self.clock.now()
        with self.database.write() as tx:
            organization = organizations.create(tx, "Elsewhere", now)
            member = people.create_member(tx, organization.id, email, "owner", now)
            workspace = workspaces.create(tx, organization.id, "elsewhere", None, member.id, now)
        return self.principal_of(member), workspace

    def key_of(self, principal: Principal) -> str:
        """A new API key of somebody."""
        value = secrets.new_api_key()
        with self.database.write() as tx:
            hash_ = secrets.hash_of(value)
            credentials.add(tx, "api_key", hash_, principal.member_id, "a key", self.clock.now(), None)
        return value

    @staticmethod
    def principal_of(member: people.Member) -> Principal:
        return Principal(
            member.id, member.organization_id, member.user_id, member.email, member.name, member.role, "api_key"
        )

    # deploying

    def upload(
        self, kind: PackageKind, files: Mapping[str, str], requirements: Mapping[str, Any] | None = None
    ) -> packages.Package:
        return self.upload_bytes(kind, builders.package(files), requirements)

    def upload_bytes(
        self, kind: PackageKind, content: bytes, requirements: Mapping[str, Any] | None = None
    ) -> packages.Package:
        platform = self.platform
        package_id, token = uploads.issue(platform, self.alice, self.workspace.id, kind)
        upload = uploads.check_token(platform, token, self.workspace.id, kind, package_id)
        path = platform.settings.data_dir / f"{package_id}.tar.gz"
        path.write_bytes(content)
        document = json.dumps(requirements or builders.requirements()).encode()
        return uploads.receive(platform, upload, path, document if kind == "deployments" else None)

    def deploy(
        self,
        *definitions: Mapping[str, Any],
        module: str | None = "__deployment__",
        description: str | None = None,
        dry_run: bool = False,
        engine_version: int = 2,
        by: Principal | None = None,
    ) -> DeployWorkspaceResponse:
        request = DeployWorkspaceRequest(
            job_definition_engine_version=engine_version,
            job_definition_hash="of the manifest",
            jobs=[dict(item) for item in definitions],
            deployment_module=module,
            description=description,
            dry_run=dry_run,
        )
        return deploy.deploy(self.platform, by or self.alice, self.workspace.id, request)

    def deploy_jobs(self, *specs: tuple[str, ...], **options: Any) -> DeployWorkspaceResponse:
        """Jobs by name and triggers: `("a", "every:1h"), ("b", "job.success:jobs.a")`."""
        return self.deploy(*(builders.definition(*spec) for spec in specs), **options)

    def current(self, name: str) -> jobs.CurrentJob:
        with self.database.read() as tx:
            return jobs.by_refs(tx, self.workspace.id, [f"jobs.{name}"])[f"jobs.{name}"]

    # runs

    def start(self, name: str, trigger: str = "manual:", **options: Any) -> runs.Run:
        """A run that somebody asked for; `StartDeclined` when there is none."""
        request = CreateJobRunRequest(job_id=self.current(name).job.id, trigger=trigger, **options)
        response, _ = start_runs.start_run(self.platform, self.alice, self.workspace.id, request)
        return self.run(response.id)

    def trigger(self, *selectors: str, **options: Any) -> Any:
        request = TriggerJobsRequest(selectors=list(selectors) or None, **options)
        return start_runs.trigger_jobs(self.platform, self.alice, self.workspace.id, request)

    def cancel(self, run_id: UUID) -> runs.Run:
        cancel_runs.cancel_run(self.platform, self.alice, self.workspace.id, run_id)
        return self.run(run_id)

    def run(self, run_id: UUID) -> runs.Run:
        with self.database.read() as tx:
            found = runs.get(tx, run_id)
        assert found is not None
        return found

    def runs_of(self, name: str) -> list[runs.Run]:
        """All runs of a job, oldest first."""
        filters = run_lists.Filters(job_id=self.current(name).job.id)
        with self.database.read() as tx:
            return run_lists.newest(tx, self.workspace.id, filters, 1000)[::-1]

    def attempt(self, run: runs.Run) -> attempts.Attempt:
        """The latest attempt of a run."""
        with self.database.read() as tx:
            return attempts.of_run(tx, run.id)[-1]

    def submit(self) -> None:
        """Give the engine as many pending runs as there is room for."""
        while self.starts.work(self.clock.now()) == AT_ONCE:
            pass

    def fire(self) -> None:
        """Fire everything that is due."""
        while self.schedules.work(self.clock.now()) == AT_ONCE:
            pass

    def look(self) -> None:
        """One look of the watch."""
        self.watch.work(self.clock.now())

    def advance(self, **by: float) -> datetime:
        return self.clock.advance(timedelta(**by))

    def claim(self, run: runs.Run, pid: int = 1) -> "Runner":
        """Submit what waits, and take the run with the ticket that the engine was given."""
        self.submit()
        attempt = self.attempt(run)
        ticket = [p.ticket for p in self.engine.placements if p.attempt == attempt.id][-1]
        request = ClaimRequest(ticket=ticket, host="here", pid=pid)
        return Runner(self, run.id, attempt.id, run_attempts.claim(self.platform, attempt.id, request))

    def running(self, name: str, trigger: str = "manual:", **options: Any) -> "Runner":
        """A run of a job whose process lives."""
        runner = self.claim(self.start(name, trigger, **options))
        runner.begin()
        return runner

    def complete_run(self, run: runs.Run) -> runs.Run:
        """Carry a run that waits to its good end; one that is over is left as it is."""
        if run.is_over:
            return run
        runner = self.claim(run)
        runner.begin()
        return runner.exit(0)

    def complete(self, name: str, trigger: str = "manual:", **options: Any) -> runs.Run:
        """A run from its start to its good end."""
        return self.running(name, trigger, **options).exit(0)


@dataclass
class Runner:
    """Says to the server what a runner says."""

    world: World
    run_id: UUID
    attempt_id: str
    launch: Launch

    def begin(self) -> None:
        run_attempts.begin(self.world.platform, self.attempt_id, self.launch.session)

    def say(self, first: int, *texts: str) -> LinesAnswer:
        at = self.world.clock.now()
        lines = [(at, "stdout", "user", "run", text) for text in texts]
        return run_attempts.take_lines(self.world.platform, self.attempt_id, self.launch.session, first, lines)

    def is_to_cancel(self) -> bool:
        return run_attempts.orders(self.world.platform, self.attempt_id, self.launch.session).cancel

    def exit(self, exit_code: int | None, cause: str = "exited", lines: int = 0, **more: Any) -> runs.Run:
        report = ExitRequest(cause=cause, exit_code=exit_code, lines=lines, **more)  # type: ignore[arg-type]
        run_attempts.finish(self.world.platform, self.attempt_id, self.launch.session, report)
        self.world.engine.vanish(self.attempt_id)
        return self.world.run(self.run_id)
