"""The one place that builds things and decides in which order they start and stop. It decides nothing else.

server = Server(settings)
server.open()      everything but the doors
server.serve()     until somebody asks to stop
server.close()
"""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import uvicorn
from fastapi import FastAPI

import homeport
from homeport import data_folder, web
from homeport.api import errors as api_errors
from homeport.api import routes
from homeport.api.client_age import ClientAge
from homeport.api.requests import BodyLimit
from homeport.auth import encryption, master_keys, secrets
from homeport.auth.encryption import ArchiveSealing
from homeport.auth.principals import DataplaneTokens
from homeport.auth.providers.configured import providers_of
from homeport.bells import Bells
from homeport.clock import Clock, SystemClock
from homeport.config import Settings
from homeport.dispatch.app_places import AppPlaces
from homeport.dispatch.environments import BuildEnvironments, CollectEnvironments
from homeport.dispatch.idle_apps import StopIdleApps
from homeport.dispatch.log_keeping import KeepLogs
from homeport.dispatch.pruning import PruneExpired
from homeport.dispatch.schedules import FireSchedules
from homeport.dispatch.service import Duty, Service
from homeport.dispatch.starts import StartPendingRuns
from homeport.dispatch.storage import MeasureStorage
from homeport.dispatch.watch import WatchAttempts
from homeport.errors import SetupError, Unavailable
from homeport.execution import machine
from homeport.execution.engines import Engine
from homeport.execution.engines.local import LocalEngine
from homeport.logs.retention import Rules
from homeport.mail import mailer_of
from homeport.operations import app_addresses, first_start, run_secrets
from homeport.operations.app_addresses import addresses_of
from homeport.operations.first_start import FirstStart
from homeport.operations.platform import Platform
from homeport.proxy.elsewhere import AppsAreElsewhere
from homeport.proxy.front import Proxy, protocol_of
from homeport.scheduling.instances import room_of
from homeport.store.blobs import Blobs
from homeport.store.database import Database
from homeport.telemetry import events

_BACKLOG = 2048
_GRACEFUL_SECONDS = 2


class Server:
    """Homeport in one process: doors, background services and the engine of this machine."""

    def __init__(self, settings: Settings, clock: Clock | None = None, engine: Engine | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        self._engine = engine or LocalEngine(
            settings.data_dir.resolve() / "node",
            warm_memory_bytes=settings.warm_memory_bytes if settings.warm else 0,
            environments_bytes=settings.environments_bytes,
        )
        self._bells = Bells()
        self._services: list[Service] = []
        self._closing = ExitStack()
        self.first_start: FirstStart | None = None
        """What is shown once, when this was the first start."""

    def open(self) -> None:
        """Take the data folder and the port, bring the database up to date, start the services."""
        try:
            self._open()
        except BaseException:
            self._closing.close()
            raise

    def _open(self) -> None:
        settings = self.settings
        data_folder.lock(
            settings.data_dir,
            self._closing,
            "Stop that one first, or start this one with another --data-dir.",
        )
        data_folder.check_whole(settings.data_dir)
        self._socket = _listen(settings.host, settings.port)
        self._closing.callback(self._socket.close)
        database = Database(settings.effective_database_url)
        self._closing.callback(database.close)
        database.migrate()
        keys = master_keys.source_of(settings.data_dir / "keys", settings.master_key_command)
        vault = encryption.open_vault(database, keys)
        blobs = Blobs(settings.effective_storage_url, ArchiveSealing(database, vault, self._clock))
        self._engine.open()
        self._closing.callback(self._engine.close)
        self.platform = Platform(
            database=database,
            blobs=blobs,
            vault=vault,
            clock=self._clock,
            bells=self._bells,
            settings=settings,
            dataplane_tokens=DataplaneTokens(secrets.derive(vault.master_key, "dataplane tokens")),
            url=self.url,
            runner_url=self._url(_reachable(settings.host)),
            apps=addresses_of(settings, self.url),
            providers=providers_of(settings),
            offers_python=self._engine.offers_python,
            mailer=mailer_of(settings.smtp_url, settings.mail_from),
        )
        self.first_start = first_start.ensure(self.platform)
        self._start_services(database)
        app_addresses.check(self.platform.apps, self.url, self.platform.runner_url)
        self._proxy = Proxy(self.platform)
        self.app = build_app(self.platform, self._readiness(database, blobs))

    def serve(self) -> None:
        """Answer requests until SIGINT or SIGTERM."""
        events.emit(events.SERVER_STARTED, url=self.url, version=homeport.__version__)
        config = uvicorn.Config(
            self.app,
            http=protocol_of(self._proxy),
            # not uvloop where that happens to be installed: the proxy works with asyncio's own transports
            loop="asyncio",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        Doors(config, self._bells, self._proxy).run(sockets=[self._socket])

    def close(self) -> None:
        """Stop the services and let go of everything. Runs go on: they belong to their runners."""
        self._closing.close()
        events.emit(events.SERVER_STOPPED)

    @property
    def url(self) -> str:
        """The address for people."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        host = self.settings.host
        return self._url("localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host)  # noqa: S104

    def _url(self, host: str) -> str:
        return f"http://{host}:{self._socket.getsockname()[1]}"

    def _start_services(self, database: Database) -> None:
        settings, url = self.settings, self.platform.runner_url
        duties: list[Duty] = [
            FireSchedules(database, self._bells),
            StartPendingRuns(
                database,
                self._engine,
                self._bells,
                url,
                settings.max_runs,
                follow_ups_per_minute=settings.follow_ups_per_minute,
                room=room_of(
                    settings.cpus or machine.cpus(),
                    settings.memory_bytes or machine.memory_bytes(),
                    settings.max_runs + settings.max_apps,
                ),
                apps=AppPlaces(settings.max_apps, settings.default_grace_seconds, self._clock.now()),
            ),
            WatchAttempts(
                database,
                self._engine,
                self._bells,
                url,
                timedelta(seconds=settings.lease_seconds),
                up_since=self._clock.now(),
                follow_ups_per_minute=settings.follow_ups_per_minute,
                masking_of=partial(run_secrets.masking_of, self.platform),
            ),
            StopIdleApps(
                database,
                self._bells,
                self._clock.now(),
                settings.app_idle_seconds,
                settings.default_grace_seconds,
            ),
            PruneExpired(database, self.platform.blobs, settings.tick_retention_days or None),
            CollectEnvironments(self._engine),
            MeasureStorage(database, self._engine),
            KeepLogs(
                database,
                self.platform.blobs,
                Rules(settings.log_retention_days or None, settings.log_retention_bytes or None),
            ),
        ]
        if settings.build_ahead:
            duties.append(BuildEnvironments(database, self._engine))
        for duty in duties:
            service = Service(duty, self._clock, self._bells)
            self._services.append(service)
            self._closing.callback(service.stop)
            service.start()

    def _readiness(self, database: Database, blobs: Blobs) -> dict[str, Callable[[], None]]:
        def services() -> None:
            dead = [service.duty.name for service in self._services if not service.is_alive]
            if dead:
                raise Unavailable(f"Not running: {', '.join(dead)}.")

        return {
            "database": database.ping,
            "storage": blobs.check,
            "scheduler": services,
            "engine": self._engine.open,
        }


class Doors(uvicorn.Server):
    """Takes leave of those who wait for news, and of apps' visitors, before it waits for them."""

    def __init__(self, config: uvicorn.Config, bells: Bells, proxy: Proxy) -> None:
        super().__init__(config)
        self._bells = bells
        self._proxy = proxy

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._bells.silence()
        await self._proxy.close()
        await super().shutdown(sockets)


def build_app(platform: Platform, readiness: dict[str, Callable[[], None]]) -> FastAPI:
    """All doors over one platform."""
    app = FastAPI(
        title="Homeport",
        version=homeport.__version__,
        summary="The open, self-hosted home for dlt data pipelines",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # the client does not follow redirects
    )
    app.state.platform = platform
    app.state.readiness = readiness
    api_errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(AppsAreElsewhere, addresses=platform.apps)
    app.add_middleware(ClientAge)  # what is added last is outermost: every answer passes it
    routes.install(app)
    web.install(app)
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: otherwise an answer's body waits some
    # 40 ms for the client to acknowledge the headers
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # accepted from here on; answered as soon as the doors are open
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise SetupError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Something else may be using the port; "
            "give another one with --port."
        ) from error
    return listening


def _reachable(host: str) -> str:
    """Where a runner of this machine finds a server that listens on `host`."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"  # noqa: S104
    return f"[{host}]" if ":" in host else host
