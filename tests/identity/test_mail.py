"""Invitations by mail, handed in at a real SMTP server."""

import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from homeport.errors import SetupError, Unavailable
from homeport.mail import mailer_of
from homeport.operations.invitations import MAILS_PER_WINDOW
from homeport.server import build_app
from homeport.store import organizations
from homeport.telemetry import events

from ..world import World
from .conftest import Doors

SENDER = "Homeport <homeport@example.org>"


class PostOffice:
    """Takes mail in, or refuses it."""

    def __init__(self) -> None:
        self.letters: list[tuple[Envelope, EmailMessage]] = []
        self.answer = "250 OK"
        self.logins: list[LoginPassword] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append((envelope, letter))
        return self.answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        self.logins.append(data)
        return AuthResult(success=data == LoginPassword(b"us er", b"p@ss/word"))


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def smtp(office: PostOffice) -> Iterator[str]:
    """host:port of a mail server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        office, hostname="127.0.0.1", port=port, authenticator=office.authenticate, auth_require_tls=False
    )
    controller.start()
    yield f"127.0.0.1:{port}"
    controller.stop()


def doors_with(world: World, url: str) -> Doors:
    world.platform = world.platform_with(smtp_url=url, mail_from=SENDER)
    return Doors(build_app(world.platform, {}), world)


def invite(doors: Doors, **request: Any) -> dict[str, Any]:
    answer = doors.post(f"{doors.org}/invitations", doors.world.api_key, json=request)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_invitation_is_mailed(world: World, smtp: str, office: PostOffice) -> None:
    doors = doors_with(world, f"smtp://{smtp}")
    made = invite(doors, email="Dora@Homeport.example")
    assert made["mail_sent"] is True
    [(envelope, letter)] = office.letters
    assert (envelope.mail_from, envelope.rcpt_tos) == ("homeport@example.org", ["dora@homeport.example"])
    assert (letter["from"], letter["to"]) == (SENDER, "dora@homeport.example")
    assert letter.get_content_type() == "text/plain"
    assert made["url"] in letter.get_content()
    assert doors.browser().get(made["url"]).status_code == 200


def test_without_an_address_or_a_mail_server_nothing_is_sent(world: World, smtp: str, office: PostOffice) -> None:
    assert invite(doors_with(world, f"smtp://{smtp}"))["mail_sent"] is None
    world.platform = world.platform_with()
    plain = Doors(build_app(world.platform, {}), world)
    assert invite(plain, email="dora@homeport.example")["mail_sent"] is None
    assert office.letters == []


def test_the_page_says_what_became_of_the_mail(world: World, smtp: str, office: PostOffice) -> None:
    doors = doors_with(world, f"smtp://{smtp}")
    browser = doors.browser(world.alice)
    action = f"/organizations/{world.alice.organization_id}/invitations/-create"
    form = {"email": "dora@homeport.example", "role": "member"}
    assert "It was mailed to dora@homeport.example" in browser.post(action, data=form).text
    office.answer = "554 no"
    page = browser.post(action, data=form).text
    assert "could not be sent" in page
    assert "/invitation?code=" in page


@pytest.mark.parametrize("fault", ["refuses", "is away", "has no TLS", "knows no such login"])
def test_a_mail_that_cannot_be_sent_loses_no_invitation(
    world: World, smtp: str, office: PostOffice, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"smtp://{smtp}"
    if fault == "refuses":
        office.answer = "554 no"
    elif fault == "is away":
        with socket.socket() as nobody:  # bound, so that nobody else listens there; and it does not
            nobody.bind(("127.0.0.1", 0))
            return _is_lost_without_harm(world, f"smtp://127.0.0.1:{nobody.getsockname()[1]}", capsys)
    elif fault == "has no TLS":
        url += "?starttls=true"
    else:
        url = f"smtp://us%20er:s3cret-and-wrong@{smtp}"
    return _is_lost_without_harm(world, url, capsys)


def _is_lost_without_harm(world: World, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    doors = doors_with(world, url)
    made = invite(doors, email="dora@homeport.example")
    assert made["mail_sent"] is False
    assert doors.browser().get(made["url"]).status_code == 200
    told = "".join(capsys.readouterr())
    assert events.MAIL_FAILED.name in told
    assert "s3cret-and-wrong" not in told
    assert made["url"].partition("code=")[2] not in told


def test_the_mail_server_is_shown_who_we_are(world: World, smtp: str, office: PostOffice) -> None:
    doors = doors_with(world, f"smtp://us%20er:p%40ss%2Fword@{smtp}")
    assert invite(doors, email="dora@homeport.example")["mail_sent"] is True
    assert office.logins == [LoginPassword(b"us er", b"p@ss/word")]
    assert "p@ss/word" not in repr(world.platform.mailer)
    assert "p%40ss" not in repr(world.platform.settings)


@pytest.mark.parametrize("to", ["a@b,c@d", "<a@b>", "a@b>\r\nBcc: c@d", "a\nb@c", "x y@z", "@", "", "a@b;"])
def test_an_address_is_one_address(world: World, smtp: str, office: PostOffice, to: str) -> None:
    mailer = mailer_of(f"smtp://{smtp}", SENDER)
    assert mailer is not None
    with pytest.raises(Unavailable, match="could not be sent"):
        mailer.send(to, "subject", "text")
    assert office.letters == []


def test_names_add_no_headers(world: World, smtp: str, office: PostOffice) -> None:
    doors = doors_with(world, f"smtp://{smtp}")
    with world.database.write() as tx:
        evil = "Fruit\r\nBcc: eve@evil.example\r\n\r\n<b>\u2028" + "x" * 200
        tx.execute(organizations.table.update().values(name=evil[:200]))
    assert invite(doors, email="dora@homeport.example")["mail_sent"] is True
    [(envelope, letter)] = office.letters
    assert envelope.rcpt_tos == ["dora@homeport.example"]
    assert letter["bcc"] is None
    assert "Fruit Bcc: eve@evil.example <b>" in letter["subject"]


def test_nobody_is_mailed_without_end(world: World, smtp: str, office: PostOffice) -> None:
    doors = doors_with(world, f"smtp://{smtp}")
    for number in range(MAILS_PER_WINDOW):
        invite(doors, email=f"p{number}@homeport.example")
    request = {"email": "one@too.many"}
    answer = doors.post(f"{doors.org}/invitations", world.api_key, json=request)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert len(office.letters) == MAILS_PER_WINDOW
    assert invite(doors)["mail_sent"] is None  # a link to pass on is made all the same


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp://h", None),
        (None, SENDER),
        ("http://h", SENDER),
        ("smtp://", SENDER),
        ("smtp://u:hidden@h:port", SENDER),
        ("smtp://h", "nobody"),
        ("smtp://h", "a@b\nBcc: c@d"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start(url: str | None, sender: str | None) -> None:
    with pytest.raises(SetupError, match="HOMEPORT_") as refused:
        mailer_of(url, sender)
    assert "hidden" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "port", "tls", "starts"),
    [
        ("smtp://h", 25, False, False),
        ("smtps://h", 465, True, False),
        ("smtp://h:587?starttls=true", 587, False, True),
    ],
)
def test_the_address_of_the_mail_server_says_how(url: str, port: int, tls: bool, starts: bool) -> None:
    mailer = mailer_of(url, SENDER)
    assert mailer is not None
    assert (mailer.port, mailer.is_tls, mailer.starts_tls) == (port, tls, starts)
