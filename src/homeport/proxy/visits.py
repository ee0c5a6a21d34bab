"""The visitors of apps: one connection from its first request to its last."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode

import h11
from starlette.concurrency import run_in_threadpool

from homeport import bells
from homeport.auth import secrets
from homeport.errors import HomeportError, NotAllowed, NotFound, NotSignedIn, TooManyTries
from homeport.operations import app_visits
from homeport.operations.app_visits import AppState, Visitor
from homeport.operations.platform import Platform
from homeport.proxy import heads, pages
from homeport.proxy.asking import OURS, Asking, asking_of, safe_next
from homeport.proxy.exchange import AppBroken, AppGone, Exchange
from homeport.proxy.gate import Gate
from homeport.proxy.pages import Page
from homeport.proxy.routes import NoRoute, Routes
from homeport.proxy.streams import Gone, Stream
from homeport.proxy.uses import Uses
from homeport.telemetry import events, faults

LONGEST_HEAD = 64 * 1024
_HEAD_SECONDS = 75.0
"""How long a connection may wait for its next request."""
_CHECK_AGAIN_SECONDS = 5.0
"""How soon somebody who may not be there any more is put out, with whatever they hold open."""
_LOOK_AGAIN_SECONDS = 1.0
_LINGER_SECONDS = 2.0
_LARGEST_FORM = 16 * 1024
_RELOAD_SECONDS = 1
_OWN_IMAGES = "img-src 'self' data: blob:"
"""dlt's dashboard has its logo from dlt's website, which would hear of every visit."""


class _Answered(Exception):
    """The request is answered by the proxy itself."""

    def __init__(self, status: int, headers: heads.Headers, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class ForPages(Exception):
    """A request for the pages came over an app's connection, as proxies in front of us send it."""

    def __init__(self, received: bytes) -> None:
        super().__init__()
        self.received = received


class Visits:
    def __init__(self, platform: Platform, routes: Routes, uses: Uses) -> None:
        self._platform = platform
        self._routes = routes
        self._uses = uses
        self._gate = Gate(platform)

    async def serve(self, client: Stream, peer: str) -> None:
        """All requests of a connection, one after the other."""
        visitor = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        try:
            while await self._one(visitor, client, peer):
                visitor.start_next_cycle()
            client.close()
        except ForPages:
            raise
        except (Gone, h11.LocalProtocolError):
            client.abort()
        except h11.RemoteProtocolError as error:
            await self._refuse(visitor, client, error)
        except Exception as error:
            events.emit(events.PROXY_FAILED, **faults.shown(error))
            client.abort()

    async def _refuse(self, visitor: h11.Connection, client: Stream, error: h11.RemoteProtocolError) -> None:
        """What is no HTTP gets one answer, and no second chance."""
        with suppress(Gone, TimeoutError, h11.LocalProtocolError):
            if visitor.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = b"This is not a request that can be answered.\n"
                await self._send(visitor, client, _Answered(error.error_status_hint, [_PLAIN, _CLOSE], body))
                client.end()
                # a connection that is closed with something unread takes the answer with it
                async with asyncio.timeout(_LINGER_SECONDS):
                    while await client.read():
                        pass
        client.close()

    async def _one(self, visitor: h11.Connection, client: Stream, peer: str) -> bool:
        """One request and its answer; whether another one may follow."""
        request = await _next_request(visitor, client)
        if request is None:
            return False
        if not self._platform.apps.is_of_apps(heads.first(request.headers, b"host")):
            raise ForPages(_written(request) + visitor.trailing_data[0])
        try:
            asking = self._asking(request, peer)
            await self._answer(asking, visitor, client)
        except _Answered as answered:
            await self._send(visitor, client, answered)
        except HomeportError as error:
            await self._send(visitor, client, _plain(_status_of(error), error.message))
        return await _is_read(visitor, client)

    def _asking(self, request: h11.Request, peer: str) -> Asking:
        addresses = self._platform.apps
        names = [name for name, _ in request.headers]
        if names.count(b"host") > 1 or (b"content-length" in names and b"transfer-encoding" in names):
            raise _plain(400, "The length of this request is said in two ways.", close=True)
        if request.method in (b"CONNECT", b"TRACE") or not request.target.startswith(b"/"):
            raise _plain(405, "This is no request for an app.", close=True)
        asking = asking_of(request, addresses, peer)
        if asking is None:
            raise _page(404, Page("Not found", app_visits.NO_APP))
        return asking

    async def _answer(self, asking: Asking, visitor: h11.Connection, client: Stream) -> None:
        if asking.path.startswith(OURS):
            raise await self._ours(asking, visitor, client)
        state, who = await self._let_in(asking)
        if not state.is_serving or (asking.is_navigation and not state.is_current):
            state = await self._started(asking, state, who)
        await self._forward(asking, state, who, visitor, client)

    # who it is

    async def _let_in(self, asking: Asking) -> tuple[AppState, Visitor]:
        try:
            state, who = await self._gate.admit(asking.name, asking.shown, asking.place.address)
        except NotFound as error:
            raise _page(404, Page("Not found", error.message)) from error
        except NotAllowed as error:
            raise _page(403, Page("Not allowed", error.message)) from error
        if asking.is_navigation and asking.parameter("swap"):
            # a code of the command line is for the main pages, and never for the app
            target = asking.without("swap")
            raise _redirect(asking.base_path + target) if who else self._to_sign_in(asking, target)
        if who is None:
            if asking.is_navigation:
                raise self._to_sign_in(asking, asking.target)
            raise _json(401, "Sign in first, or send an API key: Authorization: Bearer dlt_u_…", authenticate=True)
        if who.kind == "member" and asking.changes_things and asking.is_from_elsewhere:
            raise _plain(403, "This was sent by a page of another site.")
        return state, who

    def _to_sign_in(self, asking: Asking, target: str) -> _Answered:
        """By way of the main pages, and back. The state proves that it was this browser that set out."""
        state = asking.cookies.get(heads.STATE_COOKIE) or secrets.new_token()
        asked = {"next": target, "state": state}
        if asking.parameter("swap"):
            asked["swap"] = asking.parameter("swap")
        cookie = self._cookie(asking, heads.STATE_COOKIE, state, 600)
        return _redirect(f"{self._platform.url}/apps/{asking.name}/-open?{urlencode(asked)}", cookie)

    def _cookie(self, asking: Asking, name: str, value: str, seconds: int) -> tuple[bytes, bytes]:
        """Of this origin alone: no Domain."""
        text = f"{name}={value}; Path={asking.base_path}/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
        if asking.place.scheme == "https":
            text += "; Secure"
        return b"set-cookie", text.encode("latin-1")

    async def _ours(self, asking: Asking, visitor: h11.Connection, client: Stream) -> _Answered:
        """The addresses of the proxy itself: getting in, and starting again."""
        verb, _, rest = asking.path.removeprefix(OURS).partition("/")
        try:
            if verb == "enter" and asking.method == "GET":
                return await self._enter(asking)
            if verb == "p" and rest and asking.method in ("GET", "POST"):
                return await self._by_link(asking, rest, visitor, client)
            if verb == "start" and asking.method == "POST" and not asking.is_from_elsewhere:
                _, who = await self._let_in(asking)
                await run_in_threadpool(app_visits.wake, self._platform, asking.name, who, again=True)
                return _redirect(asking.base_path + "/")
        except NotFound as error:
            return _page(404, Page("Not found", error.message))
        return _page(404, Page("Not found", "There is nothing at this address."))

    async def _enter(self, asking: Asking) -> _Answered:
        state = asking.cookies.get(heads.STATE_COOKIE)
        target = safe_next(asking.parameter("next"))
        if not state or state != asking.parameter("state"):
            # not this browser's doing: nobody is signed in as somebody else by a link. Not sent on to sign in once
            # more either: where cookies are not kept, that would go round for ever.
            message = (
                f"This link let somebody in once, or your browser does not keep cookies. Open {asking.app_url}"
            )
            return _page(403, Page("Open the app again", message))
        try:
            code = asking.parameter("code")
            session = await run_in_threadpool(app_visits.enter, self._platform, asking.name, code)
        except NotSignedIn:
            return self._to_sign_in(asking, target)
        lifetime = int(app_visits.SESSION_LIFETIME.total_seconds())
        return _redirect(
            asking.base_path + target,
            self._cookie(asking, heads.SESSION_COOKIE, session, lifetime),
            self._cookie(asking, heads.STATE_COOKIE, "", 0),
        )

    async def _by_link(self, asking: Asking, secret: str, visitor: h11.Connection, client: Stream) -> _Answered:
        platform, password = self._platform, ""
        wants = await run_in_threadpool(app_visits.wants_password, platform, asking.name, secret)
        if wants:
            if asking.method == "POST":
                form = parse_qs((await _small_body(visitor, client)).decode("utf-8", "replace"))
                password = form.get("password", [""])[0]
            if not password:
                return _page(200, _password_page(asking))
        try:
            address = asking.place.address
            value = await run_in_threadpool(
                app_visits.follow_link, platform, asking.name, secret, password, address
            )
        except NotSignedIn as refused:
            return _page(403, _password_page(asking, refused.message))
        except TooManyTries as refused:
            return _page(429, _password_page(asking, refused.message), retry_after=refused.retry_after)
        cookie = self._cookie(asking, heads.LINK_COOKIE, value, 30 * 86_400)
        return _redirect(asking.base_path + safe_next(asking.parameter("next")), cookie)

    # whether it serves

    async def _started(self, asking: Asking, state: AppState, who: Visitor) -> AppState:
        """The app once it serves, if that is worth waiting for; pages wait in the browser."""
        if asking.is_navigation:
            raise await self._starting_page(asking, state, who)
        if not asking.is_program or state.has_failed:
            raise _json(503, f"{state.title} is not running. Open it in a browser to start it.")
        seconds = self._platform.settings.app_start_seconds
        try:
            async with asyncio.timeout(seconds):
                while not state.is_serving:
                    await run_in_threadpool(app_visits.wake, self._platform, asking.name, who)
                    state = await self._changed(asking)
                    if state.has_failed:
                        raise _json(502, f"{state.title} could not be started: {state.end_detail}")
        except TimeoutError:
            waits = f" It waits for {state.waits_for}." if state.waits_for and who.sees_log else ""
            raise _json(503, f"{state.title} has not started within {seconds:g} s.{waits} Try again.") from None
        return state

    async def _changed(self, asking: Asking) -> AppState:
        """The app after its run has had news, or a second."""
        state = await run_in_threadpool(app_visits.look, self._platform, asking.name)
        if not state.is_serving and state.run_id is not None:
            with self._platform.bells.heard(bells.log_of(state.run_id)) as bell:
                await bell.wait(_LOOK_AGAIN_SECONDS)
            state = await run_in_threadpool(app_visits.look, self._platform, asking.name)
        return state

    async def _starting_page(self, asking: Asking, state: AppState, who: Visitor) -> _Answered:
        try:
            await run_in_threadpool(app_visits.wake, self._platform, asking.name, who)
        except HomeportError as error:
            return _page(503, Page(f"{state.title} is not running", error.message))
        state = await run_in_threadpool(app_visits.look, self._platform, asking.name)
        if state.has_failed:
            return await self._crash_page(asking, state, who)
        if state.is_serving and state.is_current:
            return _redirect(asking.base_path + asking.target)
        lines = await self._lines(state, who)
        return _page(
            503, Page(f"Starting {state.title}", _why_not_yet(state, who), lines, reload_seconds=_RELOAD_SECONDS)
        )

    async def _crash_page(self, asking: Asking, state: AppState, who: Visitor) -> _Answered:
        message = "It stopped working" if state.has_served else "It could not be started"
        if who.sees_log:
            why = f": {state.end_detail.rstrip('.')}" if state.end_detail else ""
            message = f"{message}{why}. Deploy a corrected version, or start it again as it is."
            link = f"{self._platform.url}/w/{state.workspace_id}/runs/{state.run_id}"
        else:
            message, link = f"{message}. Those who look after it find the reason in its log.", ""
        page = Page(
            f"{state.title} has failed",
            message,
            await self._lines(state, who),
            action=f"{asking.base_path}{OURS}start" if who.starts else None,
            button="Start it again",
            link=link,
            link_text="Its run, with the whole log",
        )
        return _page(502, page)

    async def _lines(self, state: AppState, who: Visitor) -> tuple[str, ...]:
        if state.run_id is None or not who.sees_log:
            return ()
        return tuple(await run_in_threadpool(app_visits.last_lines, self._platform, state.run_id))

    # on to the app

    async def _forward(
        self, asking: Asking, state: AppState, who: Visitor, visitor: h11.Connection, client: Stream
    ) -> None:
        assert state.run_id is not None
        request, place = self._request_for_app(asking, state, who)
        is_safe = asking.method in ("GET", "HEAD") and not asking.wants_upgrade
        try:
            stream = await self._routes.open(state.run_id, kept=is_safe)
        except NoRoute as error:
            raise await self._unreachable(asking, state) from error
        exchange = Exchange(visitor, client, stream, place, lambda: self._uses.touch(state.job_id))
        checking = asyncio.create_task(self._put_out_when_uninvited(asking, client))
        try:
            may_be_kept = await exchange.carry(request)
        except (AppGone, AppBroken) as error:
            stream.abort()
            if exchange.has_begun:
                raise Gone from error
            raise await self._broken(asking, error) from error
        except BaseException:
            stream.abort()
            raise
        finally:
            checking.cancel()
        if may_be_kept:
            self._routes.keep(state.run_id, stream)
        else:
            stream.close()

    def _request_for_app(self, asking: Asking, state: AppState, who: Visitor) -> tuple[h11.Request, heads.Place]:
        target, place = asking.request.target, asking.place
        if asking.base_path and not state.knows_base_path:
            target = asking.target.encode("latin-1")
            place = heads.Place(place.scheme, place.host, place.address, asking.base_path, asking.base_path)
        if state.is_dashboard:
            place = replace(place, policy=_OWN_IMAGES)
        # a bearer that let somebody in is a key of ours; others are the app's own
        drops_bearer = who.kind == "member" and asking.shown.bearer is not None and asking.shown.session is None
        headers = heads.towards_app(asking.request.headers, who, place, drops_bearer=drops_bearer)
        if asking.wants_upgrade:
            headers += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        elif heads.first(asking.request.headers, b"transfer-encoding"):
            headers.append((b"transfer-encoding", b"chunked"))
        return h11.Request(method=asking.request.method, target=target, headers=headers), place

    async def _put_out_when_uninvited(self, asking: Asking, client: Stream) -> None:
        while True:
            await asyncio.sleep(_CHECK_AGAIN_SECONDS)
            try:
                _, who = await self._gate.admit(asking.name, asking.shown, asking.place.address)
            except HomeportError:
                who = None
            if who is None:
                client.abort()
                return

    async def _unreachable(self, asking: Asking, state: AppState) -> _Answered:
        message = "Its machine has no connection to this server at the moment. It comes back by itself."
        if asking.is_navigation:
            return _page(503, Page(f"{state.title} cannot be reached", message, reload_seconds=2))
        return _json(503, message)

    async def _broken(self, asking: Asking, error: Exception) -> _Answered:
        """It hung up, or what it says is no answer. It may just have ended, and its run with it."""
        state = await run_in_threadpool(app_visits.look, self._platform, asking.name)
        if isinstance(error, AppBroken):
            message = f"What it answered is not HTTP that can be passed on: {error}."
        else:
            message = "It hung up before it answered."
        if asking.is_navigation:
            return _page(502, Page(f"{state.title} does not answer", message))
        return _json(502, message)

    @staticmethod
    async def _send(visitor: h11.Connection, client: Stream, answered: _Answered) -> None:
        headers = [*answered.headers, (b"content-length", str(len(answered.body)).encode())]
        reason = HTTPStatus(answered.status).phrase.encode()
        head = visitor.send(h11.Response(status_code=answered.status, headers=headers, reason=reason))
        body = visitor.send(h11.Data(data=answered.body))
        await client.write(head or b"", body or b"", visitor.send(h11.EndOfMessage()) or b"")


_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_CLOSE = (b"connection", b"close")
_NO_STORE = (b"cache-control", b"no-store")

_STATUS_OF: dict[type[HomeportError], int] = {NotFound: 404, NotAllowed: 403, NotSignedIn: 401}


def _status_of(error: HomeportError) -> int:
    return next((_STATUS_OF[kind] for kind in type(error).__mro__ if kind in _STATUS_OF), 503)


def _why_not_yet(state: AppState, who: Visitor) -> str:
    if state.waits_for is None:
        return "This takes a few seconds, longer the first time. The page reloads by itself."
    # what it waits for may tell of other people's work
    what = state.waits_for if who.sees_log else "room on its machine"
    return f"It waits for {what}. The page reloads by itself."


def _password_page(asking: Asking, problem: str = "") -> Page:
    message = "This link asks for a password. Whoever gave you the link has it."
    action = asking.base_path + asking.target
    return Page("Password", message, action=action, button="Open", asks_password=True, problem=problem)


def _page(status: int, page: Page, *, retry_after: int | None = None) -> _Answered:
    headers = [(name.encode(), value.encode()) for name, value in pages.HEADERS.items()]
    if page.reload_seconds is not None:
        retry_after = page.reload_seconds
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    return _Answered(status, headers, pages.html(page))


def _plain(status: int, message: str, *, close: bool = False) -> _Answered:
    return _Answered(status, [_PLAIN, _NO_STORE, *([_CLOSE] if close else [])], f"{message}\n".encode())


def _json(status: int, message: str, *, authenticate: bool = False) -> _Answered:
    headers = [(b"content-type", b"application/json"), _NO_STORE]
    if authenticate:
        headers.append((b"www-authenticate", b'Bearer realm="homeport"'))
    if status == 503:
        headers.append((b"retry-after", b"2"))
    return _Answered(status, headers, json.dumps({"detail": message}).encode())


def _redirect(address: str, *cookies: tuple[bytes, bytes]) -> _Answered:
    location = address.encode("ascii", "ignore").replace(b"\r", b"").replace(b"\n", b"")
    return _Answered(
        303, [(b"location", location), _NO_STORE, (b"referrer-policy", b"no-referrer"), *cookies], b""
    )


async def _next_request(visitor: h11.Connection, client: Stream) -> h11.Request | None:
    """The head of the next request; none when there is no next one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_HEAD_SECONDS):
            while True:
                event = visitor.next_event()
                if isinstance(event, h11.Request):
                    return event
                if event is not h11.NEED_DATA:
                    return None
                visitor.receive_data(await client.read())
    return None


def _written(request: h11.Request) -> bytes:
    """The head of a request, as it came."""
    lines = [b"%s %s HTTP/%s" % (request.method, request.target, request.http_version)]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw_items()]
    return b"\r\n".join([*lines, b"", b""])


async def _is_read(visitor: h11.Connection, client: Stream) -> bool:
    """Whether the request's body was read to its end, so that another request can follow."""
    if visitor.our_state is h11.DONE and visitor.their_state is h11.SEND_BODY:
        if visitor.they_are_waiting_for_100_continue:
            return False
        with suppress(h11.RemoteProtocolError):
            await _small_body(visitor, client)
    return visitor.our_state is h11.DONE and visitor.their_state is h11.DONE


async def _small_body(visitor: h11.Connection, client: Stream) -> bytes:
    """The rest of a body, as far as a small one goes."""
    body = b""
    while len(body) <= _LARGEST_FORM:
        event = visitor.next_event()
        if event is h11.NEED_DATA:
            visitor.receive_data(await client.read())
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            break
    return body
