"""Servers of others, small but real: an OpenID Connect provider and GitHub. A test says what they get wrong."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "homeport-client", "a secret/of: the client"


class ForeignServer:
    """Answers `do(method, path, query, form, headers)` with a status and JSON, or an address to go to."""

    def __init__(self) -> None:
        server = self
        self.asked: list[str] = []
        """Paths, in order."""
        self.broken: dict[str, tuple[int, bytes]] = {}
        """Path to what is answered instead."""
        self.hang = threading.Event()
        self.hanging: set[str] = set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._handle(self, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                server._handle(self, dict(parse_qsl(body)))

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hang.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(20)

    def _handle(self, request: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        parts = urlsplit(request.path)
        self.asked.append(parts.path)
        if parts.path in self.hanging:
            self.hang.wait(60)
        query = dict(parse_qsl(parts.query))
        status, content = 200, b""
        if parts.path in self.broken:
            status, content = self.broken[parts.path]
        else:
            status, answer = self.do(parts.path, query, form, dict(request.headers))
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        request.send_response(status)
        if status == 302:
            request.send_header("Location", content.decode())
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def do(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        raise NotImplementedError


class Codes:
    """Codes that are good once, for whoever knows the verifier."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, str]] = {}

    def issue(self, query: dict[str, str]) -> str:
        code = secrets.token_urlsafe(12)
        self._open[code] = query
        return code

    def redeem(self, form: dict[str, str]) -> dict[str, str] | None:
        asked = self._open.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return asked if challenge == asked["code_challenge"] else None


class OidcServer(ForeignServer):
    def __init__(self) -> None:
        self.codes, self.key = Codes(), RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.published = [self.key.as_dict(private=False)]
        self.person: dict[str, Any] = {"sub": "s-1", "email": "dora@homeport", "email_verified": True}
        self.userinfo: dict[str, Any] | None = None
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = dict
        """What becomes of the claims before they are signed."""
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": self.key.kid}, claims, self.key
        )
        self.now: Callable[[], int] = int
        self.auth_methods = ["client_secret_basic", "client_secret_post"]
        self.secret = CLIENT_SECRET
        super().__init__()

    def rotate(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
        self.published = [self.key.as_dict(private=False)]

    def sign_with_published_key_as_secret(self) -> None:
        """The old trick: a public key taken as the secret of HMAC."""
        secret = self.key.as_pem(private=False)

        def sign(claims: dict[str, Any]) -> str:
            signed = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(claims)}"
            digest = hmac.digest(secret, signed.encode(), "sha256")
            return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

        self.sign = sign

    def sign_not_at_all(self) -> None:
        self.sign = lambda claims: f"{_part({'alg': 'none'})}.{_part(claims)}."

    def do(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "token_endpoint_auth_methods_supported": self.auth_methods,
            }
        if path == "/authorize":
            back = {"code": self.codes.issue(query), "state": query["state"], "iss": self.url}
            return 302, f"{query['redirect_uri']}?{urlencode(back)}"
        if path == "/keys":
            return 200, {"keys": self.published}
        if path == "/userinfo" and headers.get("Authorization") == "Bearer the-access-token":
            return 200, self.userinfo
        return self._token(form, headers) if path == "/token" else (404, {})

    def _token(self, form: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        if "Authorization" in headers:
            raw = base64.b64decode(headers["Authorization"].partition(" ")[2]).decode()
            name, _, secret = raw.partition(":")
            given = (unquote(name), unquote(secret))
        if given != (CLIENT_ID, self.secret):
            return 401, {"error": "invalid_client"}
        asked = self.codes.redeem(form)
        if asked is None:
            return 400, {"error": "invalid_grant"}
        now = self.now()
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        token = self.sign(self.change(claims))
        return 200, {"access_token": "the-access-token", "token_type": "Bearer", "id_token": token}


class GitHubServer(ForeignServer):
    def __init__(self) -> None:
        self.codes = Codes()
        self.user: Any = {"id": 42, "login": "dora", "name": "Dora"}
        self.emails: Any = [
            {"email": "other@homeport", "primary": False, "verified": True},
            {"email": "dora@homeport", "primary": True, "verified": True},
        ]
        super().__init__()

    def do(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        if path == "/login/oauth/authorize":
            back = {"code": self.codes.issue(query), "state": query["state"]}
            return 302, f"{query['redirect_uri']}?{urlencode(back)}"
        if path == "/login/oauth/access_token":
            is_known = (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
            if not is_known or self.codes.redeem(form) is None:
                return 200, {"error": "bad_verification_code" if is_known else "incorrect_client_credentials"}
            return 200, {"access_token": "gho_token", "token_type": "bearer"}
        if headers.get("Authorization") != "Bearer gho_token":
            return 401, {"message": "Bad credentials"}
        return 200, {"/user": self.user, "/user/emails": self.emails}[path]


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
