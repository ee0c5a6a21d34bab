"""Hands mail in at an SMTP server. A letter is plain text; one that cannot be sent is `Unavailable`."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from homeport.errors import SetupError, Unavailable

_TIMEOUT_SECONDS = 10.0
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class Mailer:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_tls: bool
    """From the first byte."""
    starts_tls: bool
    """After a greeting in clear; a server that cannot is refused, not put up with."""
    sender: str

    def send(self, to: str, subject: str, text: str) -> None:
        try:
            letter = self._letter(to, subject, text)
            with self._connection() as smtp:
                if self.starts_tls:
                    smtp.starttls(context=ssl.create_default_context())
                if self.user:
                    smtp.login(self.user, self.password)
                smtp.send_message(letter, from_addr=parseaddr(self.sender)[1], to_addrs=[to])
        except (OSError, smtplib.SMTPException, MessageError, ValueError, IndexError) as error:
            # not its text: servers repeat what they were told
            raise Unavailable(f"The mail to {to[:320]} could not be sent ({type(error).__name__}).") from None

    def _connection(self) -> smtplib.SMTP:
        if self.is_tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS)

    def _letter(self, to: str, subject: str, text: str) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = self.sender
        # one address, parsed as one: `a@b, c@d` is none
        letter["To"] = Address(addr_spec=to)
        letter["Subject"] = one_line(subject)
        letter.set_content(text)
        return letter


def one_line(text: str, length: int = 120) -> str:
    """A name that somebody gave to something, as part of a line: without line ends and the like."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))[:length]


def mailer_of(url: str | None, sender: str | None) -> Mailer | None:
    """From the settings `smtp_url` and `mail_from`; none when mail is not set up."""
    if not url and not sender:
        return None
    if not url or not sender:
        raise SetupError("HOMEPORT_SMTP_URL and HOMEPORT_MAIL_FROM go together: set both or none.")
    _check_address(sender)
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _PORTS or not parts.hostname or port == -1:
        # not as it is: it has a password in it
        raise SetupError(
            "HOMEPORT_SMTP_URL must be like smtp://user:password@host:587?starttls=true, or smtps://…."
        )
    return Mailer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        starts_tls=parse_qs(parts.query).get("starttls", ["false"])[0].lower() in ("true", "1", "yes"),
        sender=sender,
    )


def _check_address(sender: str) -> None:
    try:
        is_fine = "@" in str(Address(addr_spec=parseaddr(sender)[1])) and sender.isprintable()
    except (MessageError, ValueError, IndexError):
        is_fine = False
    if not is_fine:
        raise SetupError(f"HOMEPORT_MAIL_FROM must be an e-mail address, not {sender[:320]!r}.")
