"""On the way to an app: who is signed in here is let in there, with a code that is good for that app only."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from homeport.errors import Unavailable
from homeport.operations import app_visits
from homeport.web import rendering
from homeport.web.frame import Frame
from homeport.web.visiting import Visiting


@dataclass(frozen=True)
class OpenAppPage:
    frame: Frame
    url: str
    """Of the app, with the code."""


def show(visitor: Visiting, name: str, next: str = "/", state: str = "") -> Response:
    """A page that goes on by itself. No redirect: somebody may come here by the form to sign in, and our policy
    keeps forms from leading to other origins."""
    code = app_visits.issue_code(visitor.platform, visitor.principal, name)
    asked = urlencode({"code": code, "state": state, "next": next})
    url = f"{visitor.platform.apps.url_of(name)}-homeport/enter?{asked}"
    answer = rendering.answer(OpenAppPage(visitor.frame("Opening the app"), url))
    answer.headers["Refresh"] = f"0; url={url}"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def nowhere(visitor: Visiting, name: str) -> Response:
    """Where apps would be, if they had an address of their own; here they would act with this page's session."""
    addresses = visitor.platform.apps
    if addresses.domain is not None or addresses.shared is not None:
        app_visits.look(visitor.platform, name)
        return RedirectResponse(addresses.url_of(name), 303)
    raise Unavailable(
        "Apps need an address of their own, apart from these pages. Set HOMEPORT_APPS_DOMAIN to a domain whose "
        "names below it lead to this server, or HOMEPORT_APPS_URL to one further address of it."
    )
