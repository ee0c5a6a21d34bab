"""The settings of `homeport up`: options, `HOMEPORT_…` variables, `homeport.toml`, defaults; in this order."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from homeport.errors import SetupError

CONFIG_FILE = Path("homeport.toml")

MAX_STARTS_PER_MINUTE = 10
"""Starts of one job within one chain of follow-ups. Short jobs that start each other go round many times before
the chain is too long."""

_MIB = 1024 * 1024


class Settings(BaseSettings):
    """Everything that can be set. The descriptions are the help texts of `homeport up` too."""

    model_config = SettingsConfigDict(env_prefix="HOMEPORT_", toml_file=CONFIG_FILE, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(4040, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("homeport-data"), description="folder for everything Homeport keeps")
    database_url: str | None = Field(
        None, description="sqlite:///… or postgresql://…; default: SQLite in the data folder"
    )
    storage_url: str | None = Field(
        None,
        description="where code packages are kept: a folder or s3://, gs://, az://; default: data folder",
    )
    public_url: str | None = Field(
        None, description="address that clients use, if it is not the one they send (behind a proxy)"
    )
    master_key_command: str | None = Field(
        None,
        repr=False,
        description="a command that prints the master key, base64 of 32 bytes; run without a shell",
    )
    bootstrap_api_key: str | None = Field(
        None, repr=False, description="a dlt_u_… value to accept as the first owner's key"
    )
    owner_email: str = Field("owner@localhost", description="e-mail of the first owner")
    organization_name: str = Field("Homeport", description="name of the first organization")
    workspace_name: str = Field("default", description="name of the first workspace")
    max_runs: int = Field(8, ge=1, description="runs at once on this machine; further ones wait in order")
    max_apps: int = Field(
        8, ge=1, description="apps at once, beside the runs; for another one, the one used least recently stops"
    )
    memory_bytes: int = Field(
        0, ge=0, description="memory for runs, in bytes; those that name a size wait for it; 0: all there is"
    )
    cpus: float = Field(0, ge=0, description="cores for runs that name a size; 0: all there are")
    default_instance: str = Field(
        "none",
        pattern="^(small|medium|large|xlarge|none)$",
        description="the size whose memory limits runs of jobs that name none; none: no limit",
    )
    warm: bool = Field(True, description="keep a process ready for runs of environments in use, on Linux")
    warm_memory_bytes: int = Field(
        512 * 1024 * 1024, ge=0, description="memory that all warm processes may take; the oldest leave"
    )
    build_ahead: bool = Field(
        True, description="build environments when they are deployed; else when the first run needs them"
    )
    environments_bytes: int = Field(
        10 * 1024 * _MIB,
        ge=0,
        description="disk that environments of runs may take; those used least recently go; 0: any",
    )
    default_timeout_seconds: float = Field(7200.0, gt=0, description="limit of a batch run whose job sets none")
    default_grace_seconds: float = Field(
        30.0, ge=0, description="time between the signal to stop and the kill, where the job sets none"
    )
    lease_seconds: float = Field(
        300.0, ge=1, description="how long a run may be out of contact before it stops itself"
    )
    log_limit_bytes: int = Field(
        1024 * _MIB,
        ge=0,
        description="longest log of an attempt of a run; what it prints beyond is not kept; 0: any",
    )
    log_spool_bytes: int = Field(
        1024 * _MIB,
        ge=64 * 1024,
        description="how much of a log may wait on disk for the server; then the run waits, too",
    )
    log_retention_days: float = Field(
        90, ge=0, description="how long logs are kept after the end of their run; 0: for ever"
    )
    log_retention_bytes: int = Field(
        10 * 1024 * _MIB, ge=0, description="how much the logs of all runs may take, compressed; 0: any"
    )
    tick_retention_days: float = Field(
        90, ge=0, description="how long is kept what became of each scheduled moment; 0: for ever"
    )
    max_upload_bytes: int = Field(512 * _MIB, ge=1, description="largest upload of code or configuration")
    max_unpacked_bytes: int = Field(4096 * _MIB, ge=1, description="largest package after unpacking")
    sign_up: str = Field(
        "invited",
        description="who may get an account by signing in with a provider: invited, anyone, or domains of e-mail",
    )
    oidc_issuer: str | None = Field(None, max_length=400, description="address of an OpenID Connect provider")
    oidc_client_id: str | None = Field(None, description="what the provider knows Homeport as")
    oidc_client_secret: str | None = Field(None, repr=False, description="its secret there; none if it is public")
    oidc_name: str = Field("single sign-on", max_length=60, description="what people call the provider")
    oidc_scopes: str = Field("openid email profile", description="what the provider is asked for")
    oidc_email_domains: str = Field(
        "", description="who may sign in with the provider, by domains of e-mail; empty: everybody it knows"
    )
    github_client_id: str | None = Field(None, description="client id of an OAuth app at GitHub")
    github_client_secret: str | None = Field(None, repr=False, description="its secret")
    github_url: str = Field(
        "https://github.com", max_length=400, description="GitHub, or an own GitHub Enterprise"
    )
    github_api_url: str = Field("https://api.github.com", description="its API; of an own one: …/api/v3")
    smtp_url: str | None = Field(
        None,
        repr=False,
        description="where mail is handed in: smtp://user:password@host:587?starttls=true, smtps://…",
    )
    mail_from: str | None = Field(None, description="whom mail comes from: homeport@example.org")
    follow_ups_per_minute: int = Field(
        MAX_STARTS_PER_MINUTE,
        ge=1,
        description="starts of one job in one chain of follow-ups within a minute; a loop stops there",
    )
    apps_domain: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$",
        description="apps are at https://<name>.<this domain>; default: <name>.localhost",
    )
    apps_url: str | None = Field(
        None,
        max_length=400,
        pattern=r"^https?://[^/?#]+[^?#]*$",
        description="where wildcard names cannot be had: apps are at <this address>/<name>/",
    )
    app_idle_seconds: float = Field(
        1800.0, gt=0, description="an app that nobody uses for so long stops, where its job sets nothing"
    )
    app_start_seconds: float = Field(
        180.0, gt=0, description="how long an app may take from its start until it answers"
    )
    log_format: str = Field("auto", pattern="^(auto|console|json)$", description="auto, console or json")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'homeport.db'}"

    @property
    def effective_storage_url(self) -> str:
        return self.storage_url or str(self.data_dir.resolve() / "storage")


def load_settings(**options: Any) -> Settings:
    """The settings in force; `SetupError` names the one that cannot be read. Options that are none are unset."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SetupError(
            f"The setting {name} cannot be used: {first['msg']}. "
            f"Correct --{name.replace('_', '-')}, HOMEPORT_{name.upper()} or {CONFIG_FILE}."
        ) from error
