"""What can go wrong, as a small tree. A class is a sentence; its values explain it.

    HomeportError
    ├── BadRequest              the request cannot be carried out as written; nothing changed
    ├── NotSignedIn             no credential, or one we do not know
    ├── NotAllowed              known, but not permitted
    ├── NotFound                no such thing, or not yours to see
    ├── Conflict                a fine request at the wrong moment
    │   └── StartDeclined       a run was not started; code is the reason
    ├── TooLarge                more bytes than we take
    ├── TooManyTries            somebody guesses, or seems to
    ├── ClientTooOld            the command line must be upgraded
    ├── Unavailable             try again shortly
    │   └── OutOfRoom           a disk of the server is full
    ├── SetupError              the server cannot start as configured; for people at a terminal
    ├── BackupError             a backup was not made, or not restored; for people at a terminal
    └── CannotConnect           a workspace could not be pointed at a server; for people at a terminal

`code` is stable and for machines, the message is for people and names the thing, the reason and the way
out, `reasons` lists details (wire contract §3, `extra`), `retry_after` is in how many seconds trying again makes
sense, where that is known. Only `api/errors.py` turns these into statuses.
"""

import errno
from collections.abc import Sequence


class HomeportError(Exception):
    """Something went wrong in Homeport."""

    code = "internal_error"
    retry_after: int | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        reasons: Sequence[str] = (),
        retry_after: int | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.code = code or type(self).code
        self.reasons = list(reasons)
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(self.message)


class BadRequest(HomeportError):
    """The request cannot be carried out as written; nothing was changed."""

    code = "bad_request"


class NotSignedIn(HomeportError):
    """No credential was sent, or it is not known here: check the API key, or sign in again."""

    code = "not_authenticated"


class NotAllowed(HomeportError):
    """Your role does not allow this."""

    code = "not_allowed"


class NotFound(HomeportError):
    """No such thing here, or you may not see it."""

    code = "not_found"


class Conflict(HomeportError):
    """This cannot be done right now."""

    code = "conflict"


class StartDeclined(Conflict):
    """The run was not started."""

    code = "start_declined"


class TooLarge(HomeportError):
    """More bytes than this server takes."""

    code = "too_large"


class TooManyTries(HomeportError):
    """Too many failed tries; wait a few minutes and try again."""

    code = "too_many_tries"


class ClientTooOld(HomeportError):
    """This dlthub-client is too old for this server: `pip install -U dlthub-client`."""

    code = "client_too_old"


class Unavailable(HomeportError):
    """The server cannot answer right now; try again shortly."""

    code = "unavailable"


class OutOfRoom(Unavailable):
    """A disk of the server is full. Whoever runs it makes room there; then try again."""

    code = "out_of_room"
    retry_after = 60


def out_of_room(error: BaseException) -> OutOfRoom | None:
    """For an error of the operating system: a disk, or what somebody may have of it, is full."""
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return OutOfRoom() if is_full else None


class SetupError(HomeportError):
    """Homeport cannot start as configured."""

    code = "setup_error"


class BackupError(HomeportError):
    """The backup could not be made or restored; nothing was changed."""

    code = "backup_error"


class CannotConnect(HomeportError):
    """The workspace could not be connected; nothing was changed."""

    code = "cannot_connect"
