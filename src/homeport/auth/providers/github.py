"""GitHub, or a GitHub Enterprise of one's own: OAuth, and its API for who somebody is (it has no ID tokens)."""

from datetime import datetime
from typing import Any

from homeport.auth.providers import Flow, Identity, with_query
from homeport.auth.providers.asking import Asking
from homeport.errors import NotSignedIn
from homeport.telemetry import events

_SCOPES = "read:user user:email"
_CODE_ERRORS = ("bad_verification_code", "invalid_grant")


class GitHub:
    key = label = "github"
    name = "GitHub"
    email_domains: frozenset[str] = frozenset()

    def __init__(self, url: str, api_url: str, client_id: str, client_secret: str) -> None:
        self.issuer, self._api = url.rstrip("/"), api_url.rstrip("/")
        self._client_id, self._client_secret = client_id, client_secret
        self._asking = Asking(self.name)

    def authorization_url(self, flow: Flow, now: datetime) -> str:
        asked = {
            "client_id": self._client_id,
            "redirect_uri": flow.redirect_uri,
            "scope": _SCOPES,
            "state": flow.state,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return with_query(f"{self.issuer}/login/oauth/authorize", asked)

    def identity(self, flow: Flow, code: str, now: datetime) -> Identity:
        headers = {
            "Authorization": f"Bearer {self._redeem(flow, code)}",
            "Accept": "application/vnd.github+json",
        }
        user = self._asking.get(f"{self._api}/user", headers=headers)
        if not isinstance(user.get("id"), int):
            raise self._asking.failed(f"{self._api}/user", "does not say who it is")
        email, is_verified = self._primary_email(headers)
        name = user.get("name") or user.get("login")
        return Identity(self.issuer, str(user["id"]), email, is_verified, name if isinstance(name, str) else None)

    def _redeem(self, flow: Flow, code: str) -> str:
        """The access token for a code."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        url = f"{self.issuer}/login/oauth/access_token"
        answer = self._asking.ask("POST", url, data=form)
        body = answer.body if isinstance(answer.body, dict) else {}
        if isinstance(body.get("access_token"), str):
            return str(body["access_token"])
        if body.get("error") in _CODE_ERRORS:  # with the status 200
            events.emit(events.PROVIDER_SIGN_IN_REFUSED, provider=self.key, reason="bad_code")
            raise NotSignedIn("GitHub does not know this sign-in any more. Begin again.", code="bad_code")
        raise self._asking.failed(url, f"does not accept this server ({str(body.get('error'))[:60]!r})")

    def _primary_email(self, headers: dict[str, str]) -> tuple[str | None, bool]:
        url = f"{self._api}/user/emails"
        answer = self._asking.ask("GET", url, headers=headers)
        if answer.status != 200 or not isinstance(answer.body, list):
            raise self._asking.failed(url, f"answered with the status {answer.status}")
        for item in answer.body:
            found: dict[str, Any] = item if isinstance(item, dict) else {}
            if found.get("primary") is True and isinstance(found.get("email"), str):
                return str(found["email"]), found.get("verified") is True
        return None, False
