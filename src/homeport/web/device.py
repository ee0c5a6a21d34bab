"""Let a terminal in that shows a code: `dlthub login --device`. Nothing happens without an explicit yes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Form
from starlette.responses import Response

from homeport.errors import BadRequest, TooManyTries
from homeport.operations import login
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting, Visitor

_TITLE = "Let a terminal in"


@dataclass(frozen=True)
class WaitingTerminal:
    """What is known of who asks, for the person to recognize it."""

    client: str
    address: str | None
    asked_at: datetime


@dataclass(frozen=True)
class DevicePage:
    frame: Frame
    user_code: str
    """As it was typed, or as the link has it."""
    terminal: WaitingTerminal | None
    """Waits for an answer; none while no code was found."""
    problem: str | None
    done: str | None
    """What the answer led to."""


def show(visitor: Visiting, user_code: str = "") -> Response:
    if not user_code:
        return rendering.answer(DevicePage(visitor.frame(_TITLE), "", None, None, None))
    try:
        found = login.look_at_device(visitor.platform, visitor.principal, user_code)
    except (BadRequest, TooManyTries) as refused:
        return _refused(visitor, user_code, refused)
    terminal = WaitingTerminal(found.client, found.address, found.created_at)
    return rendering.answer(DevicePage(visitor.frame(_TITLE), user_code, terminal, None, None))


def submit(
    visitor: Visiting,
    user_code: Annotated[str, Form()] = "",
    answer: Annotated[Literal["yes", "no"], Form()] = "no",
) -> Response:
    try:
        login.answer_device(visitor.platform, visitor.principal, user_code, is_welcome=answer == "yes")
    except (BadRequest, TooManyTries) as refused:
        return _refused(visitor, user_code, refused)
    done = "The terminal is in. You can close this page." if answer == "yes" else "The terminal was turned away."
    return rendering.answer(DevicePage(visitor.frame(_TITLE), user_code, None, None, done))


def _refused(visitor: Visitor, user_code: str, refused: BadRequest | TooManyTries) -> Response:
    page = DevicePage(visitor.frame(_TITLE), user_code, None, refused.message, None)
    return rendering.answer(page, 429 if isinstance(refused, TooManyTries) else 400, refused.retry_after)
