"""The providers of an installation, from its settings."""

from urllib.parse import urlsplit

from homeport.auth.providers import Provider
from homeport.auth.providers.github import GitHub
from homeport.auth.providers.oidc import OidcProvider
from homeport.config import Settings
from homeport.errors import SetupError


def providers_of(settings: Settings) -> dict[str, Provider]:
    """By key; `SetupError` when something is missing. None is asked yet: one that is down stops no start."""
    found: dict[str, Provider] = {}
    if settings.oidc_issuer or settings.oidc_client_id:
        _check_all_set(oidc_issuer=settings.oidc_issuer, oidc_client_id=settings.oidc_client_id)
        assert settings.oidc_issuer is not None
        assert settings.oidc_client_id is not None
        found["oidc"] = OidcProvider(
            _checked_url("oidc_issuer", settings.oidc_issuer),
            settings.oidc_client_id,
            settings.oidc_client_secret or None,
            settings.oidc_name,
            settings.oidc_scopes,
            domains_of(settings.oidc_email_domains),
        )
    if settings.github_client_id or settings.github_client_secret:
        _check_all_set(
            github_client_id=settings.github_client_id, github_client_secret=settings.github_client_secret
        )
        assert settings.github_client_id is not None
        assert settings.github_client_secret is not None
        found["github"] = GitHub(
            _checked_url("github_url", settings.github_url),
            _checked_url("github_api_url", settings.github_api_url),
            settings.github_client_id,
            settings.github_client_secret,
        )
    return found


def domains_of(setting: str) -> frozenset[str]:
    """Domains of e-mail, as they are set: `example.org, example.com`."""
    return frozenset(part.strip().lower().lstrip("@") for part in setting.split(",") if part.strip())


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def _check_all_set(**settings: str | None) -> None:
    missing = " and ".join(f"HOMEPORT_{name.upper()}" for name, value in settings.items() if not value)
    if missing:
        present = " and ".join(f"HOMEPORT_{name.upper()}" for name, value in settings.items() if value)
        raise SetupError(f"{present} is set and {missing} is not: sign-in with a provider needs both.")


def _checked_url(name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.query or parts.fragment:
        raise SetupError(
            f"HOMEPORT_{name.upper()} must be an address like https://login.example.org, not {value!r}."
        )
    return value
