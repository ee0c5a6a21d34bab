"""Let a terminal of this machine in: `dlthub login` with a browser. Only an explicit yes sends a code to it."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from homeport.operations import login
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting


@dataclass(frozen=True)
class AuthorizePage:
    frame: Frame
    redirect_uri: str
    code_challenge: str
    state: str
    origin: str
    """Where the answer goes."""


def show(visitor: Visiting, redirect_uri: str = "", code_challenge: str = "", state: str = "") -> Response:
    login.check_authorization(redirect_uri, code_challenge, state)
    origin = urlsplit(redirect_uri).netloc
    page = AuthorizePage(visitor.frame("Let a terminal in"), redirect_uri, code_challenge, state, origin)
    response = rendering.answer(page)
    # browsers hold redirects after a form to `form-action` too, and ours leads back to the terminal
    sources = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"
    policy = f"{sources}; form-action 'self' http://{origin}"
    response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'; base-uri 'none'"
    return response


def submit(
    visitor: Visiting,
    redirect_uri: Annotated[str, Form()] = "",
    code_challenge: Annotated[str, Form()] = "",
    state: Annotated[str, Form()] = "",
    answer: Annotated[Literal["yes", "no"], Form()] = "no",
) -> Response:
    if answer == "no":
        return RedirectResponse(login.turned_down(redirect_uri, code_challenge, state), 303)
    address = login.authorize(visitor.platform, visitor.principal, redirect_uri, code_challenge, state)
    return RedirectResponse(address, 303)
