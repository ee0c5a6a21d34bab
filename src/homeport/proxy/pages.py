"""What visitors see in place of an app: it starts, it broke, it is not there. Whole in themselves: nothing of
these pages is loaded from elsewhere, for the address belongs to the app.
"""

import base64
import hashlib
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; }
main { max-width: 46rem; width: calc(100% - 4rem); }
h1 { font-size: 1.5rem; }
pre { font-size: .8rem; overflow: auto; max-height: 50vh; padding: 1rem;
  border: 1px solid #8886; border-radius: 6px; }
form { display: flex; flex-wrap: wrap; gap: .5rem; }
button, input { font: inherit; padding: .3rem .8rem; }
.problem { color: #c02c2c; font-weight: 600; }
@media (prefers-color-scheme: dark) { .problem { color: #ff8b82; } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@dataclass(frozen=True)
class Page:
    heading: str
    message: str
    lines: tuple[str, ...] = ()
    """The end of the run's log."""
    reload_seconds: int | None = None
    action: str | None = None
    """Where its one button posts to."""
    button: str = ""
    link: str = ""
    """Where to read on."""
    link_text: str = ""
    asks_password: bool = False
    problem: str = ""
    """Why the last try did not work."""


_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("homeport.proxy"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(page: Page) -> bytes:
    # the style is ours and hashed as it is: not to be escaped
    return _environment.get_template("page.html").render(page=page, style=Markup(_STYLE)).encode()  # noqa: S704 - a constant
