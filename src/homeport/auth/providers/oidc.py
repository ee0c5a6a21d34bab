"""Any OpenID Connect provider: discovery, authorization code with PKCE, an ID token that is verified."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from homeport.auth.providers import Flow, Identity, with_query
from homeport.auth.providers.asking import Asking
from homeport.errors import NotSignedIn
from homeport.telemetry import events

LEEWAY_SECONDS = 60
"""Clocks of two servers differ."""
_KEPT_FOR = timedelta(hours=1)
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Never `none`, nor HS…: whoever knows a public key could sign with it as if it were a secret."""
_CODE_ERRORS = ("invalid_grant", "invalid_request")


@dataclass(frozen=True)
class _Metadata:
    """The discovery document, as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    takes_basic_auth: bool
    read_at: datetime


class OidcProvider:
    key = "oidc"

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        name: str,
        scopes: str,
        email_domains: frozenset[str] = frozenset(),
    ) -> None:
        self.name, self.email_domains = name, email_domains
        self.issuer = issuer.rstrip("/")
        self._client_id, self._client_secret, self._scopes = client_id, client_secret, scopes
        self._asking = Asking(name)
        # two threads may read them at once and both keep what they read: it is the same
        self._metadata: _Metadata | None = None
        self._keys: KeySet | None = None

    @property
    def label(self) -> str:
        return f"oidc:{self.issuer}"

    def authorization_url(self, flow: Flow, now: datetime) -> str:
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": flow.redirect_uri,
            "scope": self._scopes,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return with_query(self._discovered(now).authorization_endpoint, asked)

    def identity(self, flow: Flow, code: str, now: datetime) -> Identity:
        found = self._discovered(now)
        tokens = self._redeem(found, flow, code)
        claims = self._verified(found, tokens.get("id_token"), flow.nonce, now)
        if "email" not in claims:  # many keep it out of the token, and tell it when asked
            claims = {**self._userinfo(found, tokens.get("access_token"), claims["sub"]), **claims}
        email, name = claims.get("email"), claims.get("name")
        return Identity(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            # some say it as a string
            email_is_verified=claims.get("email_verified") in (True, "true"),
            name=name if isinstance(name, str) else None,
        )

    def _discovered(self, now: datetime) -> _Metadata:
        known = self._metadata
        if known is not None and now - known.read_at < _KEPT_FOR:
            return known
        url = f"{self.issuer}/.well-known/openid-configuration"
        self._metadata, self._keys = self._parsed(url, self._asking.get(url), now), None
        return self._metadata

    def _parsed(self, url: str, document: dict[str, Any], now: datetime) -> _Metadata:
        issuer = document.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.issuer:
            raise self._asking.failed(url, f"says that its issuer is {str(issuer)[:200]!r}")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        addresses: dict[str, Any] = {
            name: document.get(name) for name in names if name in document or name != "userinfo_endpoint"
        }
        for address in addresses.values():
            if not self._is_fine(address):
                raise self._asking.failed(url, f"names an address that cannot be used: {str(address)[:200]!r}")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        takes_basic = "client_secret_basic" in methods if isinstance(methods, list) else True
        return _Metadata(
            issuer=issuer,
            authorization_endpoint=addresses["authorization_endpoint"],
            token_endpoint=addresses["token_endpoint"],
            jwks_uri=addresses["jwks_uri"],
            userinfo_endpoint=addresses.get("userinfo_endpoint"),
            takes_basic_auth=takes_basic,
            read_at=now,
        )

    def _is_fine(self, address: object) -> bool:
        """Only over TLS, unless the issuer itself is without."""
        schemes = {"https", urlsplit(self.issuer).scheme}
        return isinstance(address, str) and urlsplit(address).scheme in schemes

    def _redeem(self, found: _Metadata, flow: Flow, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        parts: dict[str, Any] = {"data": form}
        if self._client_secret is not None and found.takes_basic_auth:
            parts["auth"] = (quote(self._client_id, safe=""), quote(self._client_secret, safe=""))
        else:
            form["client_id"] = self._client_id
            if self._client_secret is not None:
                form["client_secret"] = self._client_secret
        answer = self._asking.ask("POST", found.token_endpoint, **parts)
        if not isinstance(answer.body, dict):
            raise self._asking.failed(found.token_endpoint, "answered with something that is no object")
        body = answer.body
        if answer.status == 200 and "error" not in body:
            return body
        if body.get("error") in _CODE_ERRORS:
            raise self._refused("bad_code", f"{self.name} does not know this sign-in any more. Begin again.")
        why = f"does not accept this server ({str(body.get('error'))[:60]!r}, status {answer.status})"
        raise self._asking.failed(found.token_endpoint, why)

    def _verified(self, found: _Metadata, token: object, nonce: str, now: datetime) -> dict[str, Any]:
        """The claims of an ID token that this provider made, for us, for this sign-in, a moment ago."""
        try:
            claims = self._decoded(found, str(token))
            rules = jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": found.issuer},
                aud={"essential": True, "value": self._client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise self._bad_token(str(getattr(error, "error", "malformed"))) from None
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self._client_id) != self._client_id or (len(audience) > 1 and "azp" not in claims):
            raise self._bad_token("azp")
        return claims

    def _decoded(self, found: _Metadata, token: str) -> dict[str, Any]:
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=_ASYMMETRIC).claims
            except InvalidKeyIdError:
                pass  # signed with a key that is newer than what we have
        self._keys = self._published_keys(found)
        return jwt.decode(token, self._keys, algorithms=_ASYMMETRIC).claims

    def _published_keys(self, found: _Metadata) -> KeySet:
        published = self._asking.get(found.jwks_uri).get("keys")
        keys = []
        for item in published if isinstance(published, list) else []:
            try:
                if item.get("use", "sig") == "sig" and item.get("kty") != "oct":
                    keys.append(JWKRegistry.import_key(item))
            except (JoseError, ValueError, AttributeError, KeyError, TypeError):
                continue  # of a kind that we do not know: others may be fine
        if not keys:
            raise self._asking.failed(found.jwks_uri, "publishes no key that can be used")
        return KeySet(keys)

    def _userinfo(self, found: _Metadata, access_token: object, subject: str) -> dict[str, Any]:
        if found.userinfo_endpoint is None or not isinstance(access_token, str):
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        told = self._asking.get(found.userinfo_endpoint, headers=headers)
        if told.get("sub") != subject:
            raise self._bad_token("sub of userinfo")
        return told

    def _bad_token(self, why: str) -> NotSignedIn:
        text = f"What {self.name} says of you could not be verified ({why}). Begin again; if it stays, tell the "
        return self._refused("bad_id_token", f"{text}administrator.", why=why)

    def _refused(self, code: str, message: str, **data: str) -> NotSignedIn:
        events.emit(events.PROVIDER_SIGN_IN_REFUSED, provider=self.key, reason=code, **data)
        return NotSignedIn(message, code=code)
